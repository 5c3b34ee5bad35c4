// Small helpers for making elements. Text always goes in as text, never as HTML.

/** h makes an element: h('a.link', {href: '/'}, 'text', child). Functions under on… become listeners. */
export function h(tag, attrs = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const el = document.createElement(name || 'div');
  if (classes.length) el.className = classes.join(' ');
  for (const [key, value] of Object.entries(attrs)) {
    if (key.startsWith('on')) el.addEventListener(key.slice(2), value);
    else if (value === true) el.setAttribute(key, '');
    else if (value !== false && value != null) el.setAttribute(key, value);
  }
  el.append(...children.filter((c) => c != null));
  return el;
}

/** hue gives a name a colour that stays the same, so that an environment is known by sight. */
export function hue(name) {
  let n = 2166136261;
  for (const c of name) n = Math.imul(n ^ c.codePointAt(0), 16777619);
  return ((n >>> 0) * 137.508) % 360;
}

/** short keeps the telling end of an environment's name, such as a log stream's. */
export function short(name) {
  const tail = name.split(/[\]/]/).pop() || name;
  return tail.length > 14 ? tail.slice(0, 8) + '…' : tail;
}

/** badge shows which environment answered, and how often it had been used. */
export function badge(environment, served) {
  const el = h('span.badge', { title: environment }, h('i', {}), short(environment));
  el.style.setProperty('--hue', hue(environment));
  if (served) el.append(h('em', {}, `request ${served}`));
  return el;
}

/** rich draws text with paragraphs, "- " lists, **bold**, *stress* and `code`. */
export function rich(into, text) {
  const out = document.createDocumentFragment();
  let list = null;
  for (const block of text.split('\n')) {
    if (block.startsWith('- ')) {
      list ??= out.appendChild(h('ul'));
      list.append(h('li', {}, ...inline(block.slice(2))));
    } else {
      list = null;
      if (block.trim()) out.append(h('p', {}, ...inline(block)));
    }
  }
  into.replaceChildren(out);
}

function inline(text) {
  return text.split(/(\*\*[^*]+\*\*|\*[^*\s][^*]*\*|`[^`]+`)/).map((s) => {
    if (s.startsWith('**')) return h('strong', {}, s.slice(2, -2));
    if (s.startsWith('`') && s.length > 1) return h('code', {}, s.slice(1, -1));
    if (s.startsWith('*') && s.length > 2) return h('em', {}, s.slice(1, -1));
    return s;
  });
}

let hide;
/** toast says something for a few seconds. */
export function toast(text) {
  const el = document.getElementById('toast');
  el.textContent = text;
  el.classList.add('on');
  clearTimeout(hide);
  hide = setTimeout(() => el.classList.remove('on'), 5000);
}

export const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
export const megabytes = (n) => `${(n / 1048576).toFixed(1)} MB`;
