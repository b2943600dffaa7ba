// 股权穿透图: <div data-ownership="ID"> draws the JSON of <script id="ID"> (components/ownership_graph.html).
//
//   nodes  {id, label, kind: org | person | outside, status: member | candidate | noncredit | suspect | "",
//           amount_text, subtitle, ultimate, url, facts: [{label, text}], proof: [sentence]}
//   edges  {source, target, kind: holding | kin | agreement | guarantee | dependence, label}
//
// Holdings are laid out in layers by dagre; every other relation is drawn dashed over that picture and does not move
// it. Nodes open and close level by level along holdings. Texts come from the page, so this file knows no language.

const ROW_GAP = 62;
const NODE_GAP = 34;
const ORG = { width: 118, height: 46 };
const PERSON = 62;
const MAX_FIT = 1.35;
const MIN_READABLE = .62;
const FONT = getComputedStyle(document.body).fontFamily;

const COLOUR = {
  org: '#2f7fd0', ultimate: '#0b4f96', person: '#6d5bd0', outside: '#eef1f5', suspect: '#e0532f', candidate: '#fef3dc',
  noncredit: '#ffffff', ink: '#17233a', halo: '#b9d6f2', edge: '#5d7391',
};
const EDGE_LOOK = {
  holding: { colour: '#5d7391', ink: '#3e4d66', style: 'solid', arrow: true },
  kin: { colour: '#8f7bf0', ink: '#5b46c9', style: 'dashed', arrow: false },
  agreement: { colour: '#1768bd', ink: '#0b4f96', style: 'dashed', arrow: true },
  guarantee: { colour: '#e08a00', ink: '#8a5200', style: 'dashed', arrow: true },
  dependence: { colour: '#d63939', ink: '#b42323', style: 'dotted', arrow: true },
};

// Between two days: what came, what went, what has another percentage now.
const CHANGE_COLOUR = { new: '#1d8a4e', gone: '#d63939', changed: '#c77700' };
// A picture of more nodes opens with its first levels only; the rest is a click away and the layout stays quick.
const OPEN_AT_FIRST = 150;
const OVERLAYS_MAX = 300;

// --- how a node looks: one answer for the canvas, the SVG file and the legend ---------------------------------

const lookOf = (node) => {
  const isRound = node.kind === 'person';
  const look = {
    shape: isRound ? 'ellipse' : 'round-rectangle',
    width: isRound ? PERSON : ORG.width, height: isRound ? PERSON : ORG.height,
    fill: isRound ? COLOUR.person : COLOUR.org, text: '#ffffff', border: 'transparent', borderStyle: 'solid', borderWidth: 0,
  };
  if (node.kind === 'outside') Object.assign(look, { fill: COLOUR.outside, text: '#4a5a73', border: '#b8c4d4', borderWidth: 1 });
  else if (node.status === 'suspect') look.fill = COLOUR.suspect;
  else if (node.status === 'candidate') Object.assign(look, { fill: COLOUR.candidate, text: '#7a4a00', border: '#f59f0a', borderStyle: 'dashed', borderWidth: 1.5 });
  else if (node.status === 'noncredit') Object.assign(look, { fill: COLOUR.noncredit, text: COLOUR.ink, border: '#8fa3bd', borderWidth: 1.25 });
  if (node.ultimate) Object.assign(look, { fill: isRound ? '#4b3aa8' : COLOUR.ultimate, border: isRound ? '#cfc6f5' : COLOUR.halo, borderWidth: 4, borderStyle: 'solid' });
  if (node.over) Object.assign(look, { border: '#d63939', borderStyle: 'solid', borderWidth: 4 }); // above its own limit
  return look;
};

const wrapped = (text, perLine, lines) => {
  const parts = [];
  for (let at = 0; at < text.length; at += perLine) parts.push(text.slice(at, at + perLine));
  if (parts.length <= lines) return parts;
  return [...parts.slice(0, lines - 1), `${parts[lines - 1].slice(0, perLine - 1)}…`];
};

const linesOf = (node, hiddenBelow) => {
  const isRound = node.kind === 'person';
  const isLatin = /^[\x20-\x7e]+$/.test(node.label);
  const lines = wrapped(node.label, (isRound ? 5 : 10) * (isLatin ? 2 : 1), 2);
  const second = isRound ? node.subtitle : node.amount_text || node.subtitle;
  if (second) lines.push(isRound ? wrapped(second, 6, 1)[0] : second);
  if (hiddenBelow) lines[lines.length - 1] += `  ＋${hiddenBelow}`;
  return lines;
};

const STYLE = [
  {
    selector: 'node',
    style: {
      shape: 'data(shape)', width: 'data(width)', height: 'data(height)', 'background-color': 'data(fill)', color: 'data(text)',
      'border-color': 'data(border)', 'border-width': 'data(borderWidth)', 'border-style': 'data(borderStyle)',
      label: 'data(caption)', 'text-wrap': 'wrap', 'text-max-width': 170, 'text-valign': 'center', 'text-halign': 'center',
      'font-size': 10, 'font-family': FONT, 'line-height': 1.25,
    },
  },
  { selector: 'node[borderStyle = "dashed"]', style: { 'border-dash-pattern': [4, 3] } },
  { selector: 'node.chosen', style: { 'outline-color': '#f59f0a', 'outline-width': 3, 'outline-offset': 2 } },
  {
    selector: 'edge',
    style: {
      width: 1.2, 'line-color': 'data(colour)', 'line-style': 'data(style)', 'curve-style': 'bezier', label: 'data(label)',
      'target-arrow-color': 'data(colour)', 'target-arrow-shape': 'data(arrowShape)', 'arrow-scale': .8,
      'font-size': 9, 'font-family': FONT, color: '#3e4d66', 'text-background-color': '#fff', 'text-background-opacity': .92,
      'text-background-padding': 2, 'text-background-shape': 'round-rectangle',
    },
  },
  { selector: 'edge[kind != "holding"]', style: { 'line-dash-pattern': [5, 4], color: 'data(ink)', 'text-margin-x': 'data(text_x)', 'text-margin-y': 'data(text_y)' } },
  { selector: 'edge[bend]', style: { 'curve-style': 'unbundled-bezier', 'control-point-distances': 'data(bend)', 'control-point-weights': .5, 'edge-distances': 'node-position' } },
  { selector: 'edge[change != ""]', style: { width: 2.4, color: 'data(ink)' } },
  { selector: 'edge[change = "gone"]', style: { 'line-style': 'dotted' } },
  { selector: '.faded', style: { opacity: .3 } },
];

const elementsOf = (graph) => [
  ...graph.nodes.map((node) => ({ group: 'nodes', data: { ...lookOf(node), caption: linesOf(node).join('\n'), id: String(node.id), source_node: node } })),
  ...graph.edges.map((edge, at) => {
    const look = EDGE_LOOK[edge.kind] ?? EDGE_LOOK.holding;
    return {
      group: 'edges',
      data: {
        id: `edge-${at}`, source: String(edge.source), target: String(edge.target), kind: edge.kind, label: edge.label ?? '',
        change: edge.change ?? '', colour: CHANGE_COLOUR[edge.change] ?? look.colour, ink: CHANGE_COLOUR[edge.change] ?? look.ink, style: look.style, text_x: 0, text_y: 0, arrowShape: look.arrow ? 'triangle' : 'none',
      },
    };
  }),
];

// --- which nodes are shown -------------------------------------------------------------------------------------

class Levels {
  constructor(cy) {
    this.cy = cy;
    this.open = new Set(cy.nodes().map((node) => node.id()));
    this.children = new Map(cy.nodes().map((node) => [
      node.id(), node.outgoers('edge[kind = "holding"]').targets().map((child) => child.id()),
    ]));
    this.held = new Set([...this.children.values()].flat());
  }

  roots() {
    const all = [...this.children.keys()];
    const roots = all.filter((id) => !this.held.has(id));
    const reached = this.reach(roots, () => true);
    // A closed ring has no root: its first node stands for it.
    for (const id of all) {
      if (reached.has(id)) continue;
      roots.push(id);
      for (const [each, level] of this.reach([id], () => true)) reached.set(each, level);
    }
    return roots;
  }

  reach(roots, isOpen) {
    const level = new Map(roots.map((id) => [id, 0]));
    const queue = [...roots];
    while (queue.length) {
      const id = queue.shift();
      if (!isOpen(id)) continue;
      for (const child of this.children.get(id)) {
        if (level.has(child)) continue;
        level.set(child, level.get(id) + 1);
        queue.push(child);
      }
    }
    return level;
  }

  shown() { return this.reach(this.roots(), (id) => this.open.has(id)); }

  hiddenBelow(id, shown) { return this.children.get(id).filter((child) => !shown.has(child)).length; }

  toggle(id) {
    if (!this.children.get(id).length) return false;
    if (this.open.has(id)) this.open.delete(id); else this.open.add(id);
    return true;
  }

  // Close everything below the levels that fit a number of nodes.
  openOnly(most) {
    if (this.children.size <= most) return;
    this.open.clear();
    let shown = this.shown();
    for (let edge = [...shown.keys()]; edge.length && shown.size < most;) {
      for (const id of edge) {
        if (shown.size + this.children.get(id).length > most) continue;
        this.open.add(id);
        for (const child of this.children.get(id)) if (!shown.has(child)) shown.set(child, shown.get(id) + 1);
      }
      const before = new Set(edge);
      shown = this.shown();
      edge = [...shown.keys()].filter((id) => !before.has(id) && !this.open.has(id));
    }
  }

  collapseOne() {
    const shown = this.shown();
    const deepest = Math.max(...shown.values());
    if (deepest === 0) return;
    for (const [id] of shown) {
      if (this.children.get(id).some((child) => shown.get(child) === deepest)) this.open.delete(id);
    }
  }

  expandOne() { for (const [id] of this.shown()) if (this.children.get(id).length) this.open.add(id); }
}

// --- where they stand ------------------------------------------------------------------------------------------

const layOut = (cy) => {
  const visible = cy.elements(':visible');
  const holdings = visible.edges('[kind = "holding"]');
  const placed = holdings.connectedNodes();
  const loose = visible.nodes().difference(placed);
  if (placed.length) {
    placed.union(holdings).layout({
      name: 'dagre', rankDir: 'TB', rankSep: ROW_GAP, nodeSep: NODE_GAP, edgeSep: 18,
      ranker: placed.length > OVERLAYS_MAX ? 'longest-path' : 'network-simplex', animate: false, fit: false,
    }).run();
  }
  dropOwnersToTheirCompanies(placed);
  placeLoose(cy, loose, placed);
  if (visible.nodes().length <= OVERLAYS_MAX) bendOverlays(visible);
};

// An owner without owners stands just above its highest company, not in the first row of the whole picture.
const dropOwnersToTheirCompanies = (placed) => {
  const rows = [...new Set(placed.map((node) => Math.round(node.position('y'))))].sort((a, b) => a - b);
  const rowOf = (node) => rows.indexOf(Math.round(node.position('y')));
  for (const node of placed.toArray()) {
    if (node.incomers('edge[kind = "holding"]:visible').length) continue;
    const companies = node.outgoers('edge[kind = "holding"]:visible').targets();
    if (!companies.length) continue;
    const wanted = Math.min(...companies.map(rowOf)) - 1;
    if (wanted <= rowOf(node)) continue;
    const spot = { x: node.position('x'), y: rows[wanted] };
    if (isFree(placed, node, spot)) node.position(spot);
  }
};

const isFree = (nodes, self, spot) => nodes.every((other) => (
  other.same(self) || Math.abs(other.position('y') - spot.y) > 50
  || Math.abs(other.position('x') - spot.x) >= (other.width() + self.width()) / 2 + 16
));

// People and firms without holdings stand near those whom they are tied to: elders above, others beside.
const placeLoose = (cy, loose, placed) => {
  let standing = placed;
  let waiting = loose.toArray();
  while (waiting.length) {
    const tied = waiting.filter((node) => node.neighborhood('node').intersection(standing).length);
    const next = tied.length ? tied : [waiting[0]];
    for (const node of next) {
      standing = placeOne(node, standing);
    }
    waiting = waiting.filter((node) => !next.includes(node));
  }
};

const placeOne = (node, standing) => {
  const near = node.neighborhood('node').intersection(standing);
  const box = standing.length ? standing.boundingBox({ includeLabels: false, includeOverlays: false }) : { x1: 0, x2: 0, y1: 0 };
  let spot = { x: box.x2 + 90, y: box.y1 + ORG.height / 2 };
  if (near.length) {
    const isElder = node.outgoers('edge[kind = "kin"]').targets().intersection(standing).length > 0;
    const row = Math.min(...near.map((other) => other.position('y')));
    const middle = near.reduce((sum, other) => sum + other.position('x'), 0) / near.length;
    spot = { x: middle, y: isElder ? row - ORG.height - ROW_GAP : row };
  }
  const start = spot.x;
  for (let step = 1; !isFree(standing, node, spot); step += 1) {
    const side = step % 2 ? 1 : -1;
    spot = { x: start + side * Math.ceil(step / 2) * 45, y: spot.y };
  }
  node.position(spot);
  return standing.union(node);
};

// A dashed line bows to the side where it crosses the fewest nodes and its text meets neither node nor text.
const BENDS = [0, -34, 34, -64, 64, -100, 100, -140, 140, -190, 190, -250, 250, -330, 330, -420, 420];
const TEXT_SHARES = [.5, .42, .58, .34, .66, .26, .74];

const bendOverlays = (visible) => {
  const nodes = visible.nodes().map((node) => ({
    id: node.id(), x: node.position('x'), y: node.position('y'), halfWidth: node.width() / 2 + 5, halfHeight: node.height() / 2 + 5,
  }));
  const texts = visible.edges('[kind = "holding"]').map((edge) => textBox(edge, middleOf(edge.source().position(), edge.target().position(), 0)));
  for (const edge of visible.edges('[kind != "holding"]').toArray()) {
    const from = edge.source().position();
    const to = edge.target().position();
    const others = nodes.filter((node) => node.id !== edge.source().id() && node.id !== edge.target().id());
    let best = { cost: Infinity };
    for (const bend of BENDS) {
      const met = crossings(from, to, bend, others);
      for (const share of TEXT_SHARES) {
        const at = curvePoint(from, to, bend, share);
        const text = textBox(edge, at);
        const cost = 12 * met + 9 * meetings(text, nodes) + 7 * meetings(text, texts) + Math.abs(bend) / 34 + Math.abs(share - .5) * 6;
        if (cost < best.cost) best = { cost, bend, at, text };
      }
    }
    const middle = middleOf(from, to, best.bend);
    edge.removeData('bend');
    if (best.bend) edge.data('bend', String(best.bend));
    edge.data({ text_x: best.at.x - middle.x, text_y: best.at.y - middle.y });
    texts.push(best.text);
  }
};

// Positive bends lie on the right hand of the line from → to, as in Cytoscape; the curve passes half way there.
const curvePoint = (from, to, bend, share) => {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const out = 2 * share * (1 - share) * bend;
  return {
    x: from.x + (to.x - from.x) * share - ((to.y - from.y) / length) * out,
    y: from.y + (to.y - from.y) * share + ((to.x - from.x) / length) * out,
  };
};
const middleOf = (from, to, bend) => curvePoint(from, to, bend, .5);

const textBox = (edge, at) => ({ ...at, halfWidth: 5 + String(edge.data('label')).length * 4.5, halfHeight: 8 });

const meetings = (box, others) => others.filter((other) => (
  Math.abs(other.x - box.x) < other.halfWidth + box.halfWidth && Math.abs(other.y - box.y) < other.halfHeight + box.halfHeight
)).length;

const crossings = (from, to, bend, nodes) => {
  const met = new Set();
  for (let step = 1; step < 32; step += 1) {
    const point = curvePoint(from, to, bend, step / 32);
    for (const node of nodes) {
      if (Math.abs(point.x - node.x) < node.halfWidth && Math.abs(point.y - node.y) < node.halfHeight) met.add(node.id);
    }
  }
  return met.size;
};

// --- the picture as a file -------------------------------------------------------------------------------------

const xml = (text) => String(text).replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);

const edgeToSvg = (edge) => {
  const from = edge.sourceEndpoint();
  const to = edge.targetEndpoint();
  const middle = edge.midpoint();
  const look = EDGE_LOOK[edge.data('kind')] ?? EDGE_LOOK.holding;
  const bowed = edge.data('bend') ? edge.controlPoints()?.[0] : null;
  const width = edge.data('change') ? 2.4 : 1.2;
  const path = bowed ? `M${from.x} ${from.y}Q${bowed.x} ${bowed.y} ${to.x} ${to.y}` : `M${from.x} ${from.y}L${to.x} ${to.y}`;
  const dash = { dashed: ' stroke-dasharray="5 4"', dotted: ' stroke-dasharray="1.5 3"', solid: '' }[look.style];
  const arrow = look.arrow ? ` marker-end="url(#arrow-${edge.data('kind')})"` : '';
  const label = edge.data('label')
    ? `<text x="${middle.x + edge.data('text_x')}" y="${middle.y + edge.data('text_y') + 3}" font-size="9" text-anchor="middle" fill="${edge.data('ink')}" stroke="#fff" stroke-width="3" paint-order="stroke">${xml(edge.data('label'))}</text>`
    : '';
  return `<path d="${path}" fill="none" stroke="${edge.data('colour')}" stroke-width="${width}"${dash}${arrow}/>${label}`;
};

const nodeToSvg = (node) => {
  const { x, y } = node.position();
  const look = node.data();
  const dash = look.borderStyle === 'dashed' ? ' stroke-dasharray="4 3"' : '';
  const paint = `fill="${look.fill}" stroke="${look.border}" stroke-width="${look.borderWidth}"${dash}`;
  const body = look.shape === 'ellipse'
    ? `<ellipse cx="${x}" cy="${y}" rx="${look.width / 2}" ry="${look.height / 2}" ${paint}/>`
    : `<rect x="${x - look.width / 2}" y="${y - look.height / 2}" width="${look.width}" height="${look.height}" rx="7" ${paint}/>`;
  const lines = look.caption.split('\n');
  const top = y - (lines.length - 1) * 6.5 + 3.5;
  const text = lines.map((line, at) => `<tspan x="${x}" y="${top + at * 13}">${xml(line)}</tspan>`).join('');
  return `${body}<text font-size="10" text-anchor="middle" fill="${look.text}">${text}</text>`;
};

const toSvg = (cy) => {
  const visible = cy.elements(':visible');
  const box = visible.boundingBox();
  const pad = 16;
  const markers = Object.entries(EDGE_LOOK).filter(([, look]) => look.arrow).map(([kind, look]) => (
    `<marker id="arrow-${kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="${look.colour}"/></marker>`
  )).join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box.x1 - pad} ${box.y1 - pad} ${box.w + 2 * pad} ${box.h + 2 * pad}" width="${box.w + 2 * pad}" height="${box.h + 2 * pad}" font-family="${xml(FONT)}">`
    + `<defs>${markers}</defs><rect x="${box.x1 - pad}" y="${box.y1 - pad}" width="100%" height="100%" fill="#fff"/>`
    + `${visible.edges().map(edgeToSvg).join('')}${visible.nodes().map(nodeToSvg).join('')}</svg>`;
};

const save = (blob, name) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

// --- the panel beside it ---------------------------------------------------------------------------------------

const showDetail = (panel, node) => {
  const part = (name) => panel.querySelector(`[data-${name}]`);
  panel.hidden = false;
  panel.parentElement.classList.add('has-panel');
  panel.parentElement.querySelector('[data-hint]').hidden = true;
  part('name').textContent = node.label;
  part('subtitle').textContent = [node.subtitle, node.amount_text].filter(Boolean).join(' · ');
  part('facts').replaceChildren(...(node.facts ?? []).flatMap((fact) => {
    const term = document.createElement('dt');
    const text = document.createElement('dd');
    term.textContent = fact.label;
    text.textContent = fact.text;
    return [term, text];
  }));
  const sentences = node.proof ?? [];
  part('proof').replaceChildren(...sentences.map((sentence) => {
    const item = document.createElement('li');
    item.textContent = sentence;
    return item;
  }));
  part('proof-title').hidden = !sentences.length;
  part('no-proof').hidden = sentences.length > 0;
  part('link').hidden = !node.url;
  if (node.url) part('link').href = node.url;
};

// Everything above a node along holdings: the paths by which it is controlled.
const controlPath = (node) => {
  let path = node;
  for (let grown = true; grown;) {
    const above = path.union(path.nodes().incomers('edge[kind = "holding"]:visible'));
    const next = above.union(above.edges().sources());
    grown = next.length > path.length;
    path = next;
  }
  return path;
};

// --- one graph -------------------------------------------------------------------------------------------------

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

const nearest = (from, nodes, [dx, dy]) => {
  const start = from.position();
  let best = null;
  let bestCost = Infinity;
  for (const node of nodes.toArray()) {
    const along = (node.position('x') - start.x) * dx + (node.position('y') - start.y) * dy;
    const across = Math.abs((node.position('x') - start.x) * dy) + Math.abs((node.position('y') - start.y) * dx);
    if (along < 4) continue;
    const cost = along + 2.5 * across;
    if (cost < bestCost) { best = node; bestCost = cost; }
  }
  return best;
};

const mount = (root) => {
  if (root.dataset.mounted) return;
  const source = document.getElementById(root.dataset.ownership);
  const canvas = root.querySelector('[data-canvas]');
  const panel = root.querySelector('[data-panel]');
  const graph = JSON.parse(source.textContent);
  if (!graph.nodes.length) return;
  root.dataset.mounted = 'yes';
  for (const part of [canvas, root.querySelector('[data-hint]'), root.querySelector('.ownership-bar')]) part.hidden = false;
  hideUnusedLegend(root, graph);

  const cy = cytoscape({
    container: canvas, elements: elementsOf(graph), style: STYLE, minZoom: .15, maxZoom: 2.5, boxSelectionEnabled: false,
    autounselectify: true, layout: { name: 'preset' },
  });
  const levels = new Levels(cy);
  levels.openOnly(OPEN_AT_FIRST);
  let chosen = null;

  const fit = () => {
    cy.resize();
    cy.fit(cy.elements(':visible'), 24);
    if (cy.zoom() > MAX_FIT) { cy.zoom(MAX_FIT); cy.center(cy.elements(':visible')); }
  };
  // On a telephone the whole picture would be too small to read: start at the controller and let the finger move it.
  const start = () => {
    fit();
    if (cy.zoom() >= MIN_READABLE) return;
    const first = cy.nodes(':visible').filter((node) => node.data('source_node').ultimate);
    cy.zoom(MIN_READABLE);
    cy.center(first.length ? first.union(first.outgoers('node:visible')) : cy.nodes(':visible'));
  };
  const refresh = () => {
    const shown = levels.shown();
    cy.batch(() => {
      for (const node of cy.nodes().toArray()) {
        node.style('display', shown.has(node.id()) ? 'element' : 'none');
        node.data('caption', linesOf(node.data('source_node'), levels.hiddenBelow(node.id(), shown)).join('\n'));
      }
    });
    layOut(cy);
    start();
  };
  const choose = (node) => {
    chosen?.removeClass('chosen');
    chosen = node;
    node.addClass('chosen');
    cy.elements().removeClass('faded');
    cy.elements(':visible').difference(node.closedNeighborhood().union(controlPath(node))).addClass('faded');
    showDetail(panel, node.data('source_node'));
  };
  const clear = () => {
    chosen?.removeClass('chosen');
    chosen = null;
    cy.elements().removeClass('faded');
    panel.hidden = true;
    panel.parentElement.classList.remove('has-panel');
  };
  const zoomBy = (factor) => cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
  const toggle = (node) => { if (levels.toggle(node.id())) refresh(); };

  cy.on('tap', 'node', (event) => choose(event.target));
  cy.on('dbltap', 'node', (event) => toggle(event.target));
  cy.on('tap', (event) => { if (event.target === cy && chosen) clear(); });
  cy.on('mouseover', 'node', () => { canvas.style.cursor = 'pointer'; });
  cy.on('mouseout', 'node', () => { canvas.style.cursor = ''; });

  const acts = {
    'zoom-in': () => zoomBy(1.25), 'zoom-out': () => zoomBy(.8), fit,
    close: () => { clear(); canvas.focus(); },
    collapse: () => { levels.collapseOne(); refresh(); }, expand: () => { levels.expandOne(); refresh(); },
    png: () => save(cy.png({ output: 'blob', full: true, scale: 2, bg: '#ffffff' }), `${root.dataset.ownership}.png`),
    svg: () => save(new Blob([toSvg(cy)], { type: 'image/svg+xml' }), `${root.dataset.ownership}.svg`),
  };
  root.addEventListener('click', (event) => {
    const button = event.target.closest('[data-act]');
    if (button) acts[button.dataset.act]();
  });
  canvas.addEventListener('keydown', (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const visible = cy.nodes(':visible');
    if (ARROWS[event.key]) {
      const next = chosen?.visible() ? nearest(chosen, visible, ARROWS[event.key]) : visible[0];
      if (next) choose(next);
    } else if (event.key === 'Enter' && chosen) toggle(chosen);
    else if (event.key === '+' || event.key === '=') zoomBy(1.25);
    else if (event.key === '-') zoomBy(.8);
    else if (event.key === '0') fit();
    else if (event.key === 'Escape') clear();
    else return;
    event.preventDefault();
  });

  let waiting = 0;
  const refit = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(start); };
  new ResizeObserver(refit).observe(canvas);
  // A canvas prints badly or not at all; paper gets the same picture as SVG.
  const paper = document.createElement('div');
  paper.className = 'ownership-paper';
  paper.setAttribute('aria-hidden', 'true');
  canvas.after(paper);
  window.addEventListener('beforeprint', () => {
    const drawing = new DOMParser().parseFromString(toSvg(cy), 'image/svg+xml').documentElement;
    paper.replaceChildren(document.importNode(drawing, true));
  });
  refresh();
  const list = root.querySelector('details[data-close-when-drawn]');
  if (list) list.open = false;
  // For tests and for other scripts of the page.
  root.ownership = { cy, toSvg: () => toSvg(cy) };
};

const hideUnusedLegend = (root, graph) => {
  const used = new Set([
    ...graph.edges.map((edge) => `line-${edge.kind}`),
    ...graph.edges.filter((edge) => edge.change).map((edge) => `line-${edge.change}`),
    ...graph.nodes.map((node) => `swatch-${node.status}`),
    ...graph.nodes.filter((node) => node.kind === 'person').map(() => 'swatch-person'),
    ...graph.nodes.filter((node) => node.ultimate).map(() => 'swatch-ultimate'),
    ...graph.nodes.filter((node) => node.kind === 'org').map(() => 'swatch-org'),
  ]);
  for (const sample of root.querySelectorAll('.graph-legend i')) {
    const name = [...sample.classList].find((each) => /^(line|swatch)-(?!line)/.test(each));
    if (name && !used.has(name)) sample.parentElement.hidden = true;
  }
};

const mountWithin = (root) => { for (const element of root.querySelectorAll('[data-ownership]')) mount(element); };
mountWithin(document);
document.addEventListener('htmx:load', (event) => mountWithin(event.detail.elt));
