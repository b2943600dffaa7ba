// Charts from data blocks: <div data-chart="KIND" data-source="ID"> draws the JSON of <script id="ID">.
// Figures arrive as decimal strings with the text to show beside them; they become numbers only to be drawn.
//
//   group-share  {items: [{label, ratio, text, level, url}], warn, limit, warn_text, limit_text}   ratios in percent
//   usage        {items: [{label, ratio, text, level, url}]}                             ratio of the cap in percent
//   donut        {items: [{label, value, text}], total_text, total_label}
//   trend        {periods: [label], series: [{label, values: [..]}], limit: {label, values: [..]}, unit}
// Every kind also has table: {head, rows} for the table under it (components/chart.html). Levels: ok warn full over.

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const INK = token('--sx-ink');
const MUTED = token('--sx-muted');
const LINE = '#e8edf4';
const FONT = getComputedStyle(document.body).fontFamily;
const LEVEL_COLOUR = { ok: token('--sx-bar'), warn: token('--sx-amber'), full: token('--sx-amber'), over: '#e0532f' };
const PALETTE = ['#2f7fd0', '#86b8ee', '#0b4f96', '#3fb6a8', '#f59f0a', '#6d5bd0', '#9aa7ba', '#e0532f'];
const isNarrow = () => window.matchMedia('(max-width: 36rem)').matches;

const axisText = { color: MUTED, fontSize: 12 };
const tooltipOf = (formatter) => ({
  trigger: 'item', confine: true, borderColor: LINE, textStyle: { color: INK, fontSize: 12 }, formatter,
});
const escapeText = (text) => echarts.format.encodeHTML(String(text ?? ''));

const barRows = (items) => items.map((item) => ({
  value: Number(item.ratio),
  itemStyle: { color: LEVEL_COLOUR[item.level] ?? LEVEL_COLOUR.ok, borderRadius: [0, 3, 3, 0] },
  name: item.label, text: item.text, url: item.url,
}));

// The figures stand in a column of their own at the right: beside a bar they would be written over the limit's line.
const horizontalBars = (data, rest) => ({
  grid: { left: 6, right: 10, top: rest.top ?? 8, bottom: 4, containLabel: true },
  tooltip: tooltipOf((at) => `${escapeText(at.data.name)}<br><b>${escapeText(at.data.text)}</b>`),
  xAxis: {
    type: 'value', max: rest.max, splitNumber: isNarrow() ? 3 : 5, splitLine: { lineStyle: { color: LINE } }, axisLabel: { ...axisText, formatter: '{value}%', showMaxLabel: false, hideOverlap: true }, axisTick: { show: false },
  },
  yAxis: [{
    type: 'category', inverse: true, data: data.items.map((item) => item.label), axisTick: { show: false },
    axisLine: { lineStyle: { color: '#8795ab' } },
    axisLabel: { ...axisText, color: INK, width: isNarrow() ? 92 : 168, overflow: 'truncate' },
  }, {
    type: 'category', inverse: true, position: 'right', data: data.items.map((item) => item.text),
    axisTick: { show: false }, axisLine: { show: false }, splitLine: { show: false },
    axisLabel: { ...axisText, interval: 0, color: (text, at) => (data.items[at]?.level === 'over' ? '#b42323' : INK) },
  }],
  series: [{
    type: 'bar', data: barRows(data.items), barMaxWidth: 13,
    cursor: data.items.some((item) => item.url) ? 'pointer' : 'default', markLine: rest.markLine,
  }],
});

const lineAt = (value, text, colour, type) => ({
  xAxis: Number(value), lineStyle: { color: colour, type, width: 1.5 },
  label: { formatter: text, color: colour, position: 'start', fontSize: 11, distance: 6 },
});

// In a narrow place the legend stands below the ring, a line for each part.
const SLIM_RING = 108;
const isSlimIn = (element) => element.clientWidth < 440;

const DRAWINGS = {
  'group-share': (data) => {
    const ratios = data.items.map((item) => Number(item.ratio));
    const marks = [lineAt(data.limit, data.limit_text ?? `${data.limit}%`, '#c8321f', 'solid')];
    if (data.warn) marks.push(lineAt(data.warn, data.warn_text ?? `${data.warn}%`, '#b87400', 'dashed'));
    // Warn and limit lie close together: the warn text is written to the left of its line.
    if (marks[1]) marks[1].label = { ...marks[1].label, align: 'right', offset: [4, 0] };
    marks[0].label = { ...marks[0].label, align: 'left', offset: [-4, 0] };
    return horizontalBars(data, {
      top: 24,
      max: Math.ceil(Math.max(Number(data.limit) * 1.12, ...ratios.map((ratio) => ratio * 1.05))),
      markLine: { symbol: 'none', silent: true, data: marks },
    });
  },
  usage: (data) => horizontalBars(data, {
    max: Math.max(110, ...data.items.map((item) => Math.ceil(Number(item.ratio) * 1.05))),
    markLine: { symbol: 'none', silent: true, data: [lineAt(100, '', '#c8321f', 'solid')] },
  }),
  donut: (data, { isSlim, height }) => ({
    color: PALETTE,
    tooltip: tooltipOf((at) => `${escapeText(at.name)}<br><b>${escapeText(at.data.text)}</b>（${at.percent}%）`),
    legend: {
      orient: 'vertical', ...(isSlim ? { top: SLIM_RING * 2 } : { right: 0, top: 'middle' }), icon: 'roundRect',
      itemWidth: 10, itemHeight: 10, textStyle: { color: INK, fontSize: 12 },
      formatter: (name) => `${name}  ${data.items.find((item) => item.label === name)?.text ?? ''}`,
    },
    title: {
      text: data.total_text, subtext: data.total_label, textAlign: 'center', left: isSlim ? '49.5%' : '29.5%', top: (isSlim ? SLIM_RING : height / 2) - 24,
      textStyle: { color: INK, fontSize: 18, fontWeight: 700 }, subtextStyle: { color: MUTED, fontSize: 12 }, itemGap: 4,
    },
    series: [{
      type: 'pie', radius: isSlim ? [62, 94] : ['50%', '74%'], center: isSlim ? ['50%', SLIM_RING] : ['30%', '50%'],
      itemStyle: { borderColor: '#fff', borderWidth: 2 }, label: { show: false },
      data: data.items.map((item) => ({ name: item.label, value: Number(item.value), text: item.text })),
    }],
  }),
  trend: (data) => ({
    color: PALETTE,
    grid: { left: 4, right: 12, top: 38, bottom: 4, containLabel: true },
    legend: { right: 0, top: 0, itemWidth: 12, itemHeight: 9, textStyle: { color: INK, fontSize: 12 } },
    tooltip: { ...tooltipOf(), trigger: 'axis', formatter: undefined },
    xAxis: { type: 'category', data: data.periods, axisTick: { show: false }, axisLine: { lineStyle: { color: '#8795ab' } }, axisLabel: axisText },
    yAxis: { type: 'value', splitLine: { lineStyle: { color: LINE } }, axisLabel: axisText, name: data.unit, nameTextStyle: { color: MUTED, align: 'right' } },
    series: [
      ...data.series.map((series, at) => ({
        name: series.label, type: 'bar', stack: 'all', barMaxWidth: 20, data: series.values.map(Number),
        itemStyle: at === data.series.length - 1 ? { borderRadius: [3, 3, 0, 0] } : {},
      })),
      ...(data.limit ? [{
        name: data.limit.label, type: 'line', step: 'end', symbol: 'none', data: data.limit.values.map(Number),
        lineStyle: { type: 'dashed', width: 2, color: '#f59f0a' }, itemStyle: { color: '#f59f0a' },
      }] : []),
    ],
  }),
};

const drawn = new Map();

const draw = (element) => {
  if (drawn.has(element)) return;
  const source = document.getElementById(element.dataset.source);
  const option = DRAWINGS[element.dataset.chart];
  if (!source || !option) return;
  const data = JSON.parse(source.textContent);
  element.hidden = false;
  if (['usage', 'group-share'].includes(element.dataset.chart)) {
    element.style.height = `${Math.max(10, data.items.length * 1.85 + 4.2)}rem`;
  }
  if (element.dataset.chart === 'donut' && isSlimIn(element)) {
    element.style.height = `${SLIM_RING * 2 + 22 * data.items.length + 8}px`;
  }
  const chart = echarts.init(element, null, { renderer: 'svg' });
  const show = () => chart.setOption({
    animation: false, textStyle: { fontFamily: FONT }, ...option(data, { isSlim: isSlimIn(element), height: element.clientHeight }),
  }, true);
  show();
  chart.on('click', (at) => { if (at.data?.url) window.location.assign(at.data.url); });
  drawn.set(element, { chart, show });
  const fallback = element.parentElement.querySelector('details[data-close-when-drawn]');
  if (fallback) fallback.open = false;
};

const forget = (element) => {
  drawn.get(element)?.chart.dispose();
  drawn.delete(element);
};

const resizeAll = () => {
  for (const [element, { chart, show }] of drawn) {
    if (!element.isConnected) { forget(element); continue; }
    chart.resize();
    show();
  }
};

let waiting = 0;
window.addEventListener('resize', () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(resizeAll); });
// Paper is narrower than the screen: with a view box the drawing shrinks to the width that the print style gives it.
window.addEventListener('beforeprint', () => {
  for (const [element, { chart }] of drawn) {
    element.querySelector('svg')?.setAttribute('viewBox', `0 0 ${chart.getWidth()} ${chart.getHeight()}`);
  }
});

const drawWithin = (root) => { for (const element of root.querySelectorAll('[data-chart]')) draw(element); };
drawWithin(document);
document.addEventListener('htmx:load', (event) => drawWithin(event.detail.elt));
