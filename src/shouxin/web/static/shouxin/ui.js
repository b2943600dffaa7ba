// Conveniences for every page. Each page works without this file.
//   data-global-search            the field that Ctrl/⌘ K focuses
//   data-needs-script + hidden    shown once scripts run
//   data-print                    a button that prints
//   data-row-link                 a table row that follows its own a.row-link
//   data-submit-on-change         a control (or a form) that submits its form when its value changes
//   data-date-slider="<id>"       a range over data-dates that sets the date field and submits
//   data-once                     a form that is sent once, however often the button is pressed
//   data-closes-outside           a details element that closes on Escape and on a click elsewhere
//   data-fill-username/-password  a demo user's button on the sign-in page

const isComposing = (event) => event.isComposing || event.keyCode === 229;

const reveal = (root) => {
  for (const element of root.querySelectorAll('[data-needs-script][hidden]')) {
    if (!element.closest('[data-ownership]')) element.hidden = false;
  }
};

document.addEventListener('keydown', (event) => {
  if (isComposing(event)) return;
  const withCommand = event.ctrlKey || event.metaKey;
  if (withCommand && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'k') {
    const search = document.querySelector('[data-global-search]');
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
    return;
  }
  if (withCommand && event.key === 'Enter') {
    const form = event.target.closest?.('form');
    if (!form) return;
    event.preventDefault();
    form.requestSubmit();
    return;
  }
  if (event.key === 'Escape') {
    for (const menu of document.querySelectorAll('details[data-closes-outside][open]')) {
      menu.open = false;
      menu.querySelector('summary').focus();
    }
  }
});

const fillDemoUser = (button) => {
  const form = document.querySelector('form:has(#id_username)') ?? document.forms[0];
  form.elements.username.value = button.dataset.fillUsername;
  form.elements.password.value = button.dataset.fillPassword ?? '';
  for (const other of document.querySelectorAll('[data-fill-username]')) {
    other.setAttribute('aria-pressed', String(other === button));
  }
  (button.dataset.fillPassword ? form.querySelector('[type=submit]') : form.elements.password).focus();
};

const followRow = (event) => {
  const row = event.target.closest('tr[data-row-link]');
  if (!row || event.defaultPrevented || event.button !== 0) return;
  if (event.target.closest('a, button, input, select, label, summary, textarea')) return;
  if (String(getSelection())) return;
  const link = row.querySelector('a.row-link');
  if (!link) return;
  if (event.ctrlKey || event.metaKey) window.open(link.href, '_blank', 'noopener');
  else link.click();
};

document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details[data-closes-outside][open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const demoUser = event.target.closest('[data-fill-username]');
  if (demoUser) return fillDemoUser(demoUser);
  if (event.target.closest('[data-print]')) return window.print();
  followRow(event);
});

const setSliderDate = (slider) => {
  const day = (slider.dataset.dates ?? '').split(',')[Number(slider.value)];
  const field = document.getElementById(slider.dataset.dateSlider);
  if (day && field) field.value = day;
  slider.setAttribute('aria-valuetext', day ?? '');
};

document.addEventListener('input', (event) => {
  if (event.target.matches('[data-date-slider]')) setSliderDate(event.target);
});

document.addEventListener('change', (event) => {
  const control = event.target;
  if (control.matches('[data-date-slider]')) {
    setSliderDate(control);
    control.form.requestSubmit();
  } else if (control.form && control.closest('[data-submit-on-change]')) {
    control.form.requestSubmit();
  }
});

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (!form.matches('[data-once]') || event.defaultPrevented) return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = 'yes';
});
// Coming back with the browser's button, the form may be sent again.
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});

for (const slider of document.querySelectorAll('[data-date-slider]')) {
  const days = (slider.dataset.dates ?? '').split(',');
  const chosen = document.getElementById(slider.dataset.dateSlider)?.value ?? '';
  const at = days.filter((day) => day <= chosen).length - 1;
  slider.value = String(Math.max(0, at));
}
for (const key of document.querySelectorAll('.topbar-key')) {
  if (/Mac|iPhone|iPad/.test(navigator.platform)) key.textContent = '⌘ K';
}
reveal(document);
document.addEventListener('htmx:load', (event) => reveal(event.detail.elt));
