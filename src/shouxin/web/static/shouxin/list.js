// The customer list: what is selected stays selected while paging, and the acts show only the fields they need.
// Everything works without this file for the rows of one page.
const KEY = 'shouxin.selected';
const read = () => new Set(JSON.parse(sessionStorage.getItem(KEY) ?? '[]'));
const write = (chosen) => sessionStorage.setItem(KEY, JSON.stringify([...chosen]));
const boxes = () => [...document.querySelectorAll('input[name=selected][type=checkbox]')];

const show = () => {
  const chosen = read();
  for (const box of boxes()) box.checked = chosen.has(box.value);
  const here = new Set(boxes().map((box) => box.value));
  const elsewhere = document.querySelector('[data-selected-elsewhere]');
  if (elsewhere) elsewhere.value = [...chosen].filter((number) => !here.has(number)).join(',');
  const count = document.querySelector('[data-selected-count]');
  if (count) { count.hidden = !chosen.size; count.textContent = `✓ ${chosen.size}`; }
  const all = document.querySelector('[data-select-page]');
  if (all) { all.hidden = false; all.checked = boxes().length > 0 && boxes().every((box) => box.checked); }
};

const showFields = () => {
  const act = document.querySelector('[data-bulk] [name=act]');
  if (!act) return;
  for (const field of document.querySelectorAll('[data-for-act]')) field.hidden = field.dataset.forAct !== act.value;
};

document.addEventListener('change', (event) => {
  const control = event.target;
  if (control.matches('[data-select-page]')) {
    const chosen = read();
    for (const box of boxes()) control.checked ? chosen.add(box.value) : chosen.delete(box.value);
    write(chosen);
    show();
  } else if (control.matches('input[name=selected][type=checkbox]')) {
    const chosen = read();
    control.checked ? chosen.add(control.value) : chosen.delete(control.value);
    write(chosen);
    show();
  } else if (control.matches('[data-bulk] [name=act]')) {
    showFields();
  } else if (control.closest('[data-columns]')) {
    const form = control.closest('[data-columns]');
    form.elements.columns.value = [...form.querySelectorAll('input[type=checkbox]:checked')].map((box) => box.value).join(',');
  }
});
document.addEventListener('submit', (event) => {
  if (event.target.matches('[data-bulk]')) sessionStorage.removeItem(KEY);
});
// The table was replaced for other filters: what stands around it follows the address.
const follow = () => {
  for (const field of document.querySelectorAll('[data-query]')) field.value = location.search.slice(1);
  const here = new URLSearchParams(location.search);
  for (const name of ['after', 'before', 'count']) here.delete(name);
  for (const [name, value] of [...here]) if (!value) here.delete(name);
  for (const link of document.querySelectorAll('.page-actions a')) {
    const url = new URL(link.href);
    if (/\/customers\/(board|print|export)/.test(url.pathname)) { url.search = here; link.href = url; }
  }
  for (const chip of document.querySelectorAll('[data-quick]')) {
    const query = new URLSearchParams(here);
    chip.dataset.quick ? query.set('quick', chip.dataset.quick) : query.delete('quick');
    chip.href = `?${query}`;
  }
  const count = document.querySelector('[data-count]')?.textContent ?? '';
  for (const copy of document.querySelectorAll('[data-count-copy], .page-head .page-sub')) copy.textContent = count;
  const clear = document.querySelector('[data-clear]');
  if (clear) clear.hidden = ![...here.keys()].some((name) => !['order', 'columns'].includes(name));
};
document.addEventListener('htmx:afterSettle', (event) => {
  if (event.target.id === 'customer-table') follow();
  show();
});
show();
showFields();
