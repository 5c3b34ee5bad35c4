// The shell: routes, the list of chats, and the row of hops at the top.
import { getJSON, onPath, postJSON } from '#api';
import { chatView } from '#chat';
import { badge, h, toast } from '#dom';
import { labView } from '#lab';
import { aboutView, loginView, missingView } from '#pages';

const main = document.getElementById('main');
let user = null;

function show() {
  const path = location.pathname;
  const chat = /^\/chat\/([a-z0-9]{1,64})$/.exec(path);
  document.body.classList.remove('open');
  if (path === '/about') aboutView(main);
  else if (path === '/lab') labView(main);
  else if (path !== '/' && !chat) missingView(main);
  else if (!user) loginView(main, entered);
  else chatView(main, { id: chat?.[1], user, changed: list, go });
  mark();
}

function go(path, { silent = false } = {}) {
  if (path !== location.pathname) history.pushState(null, '', path);
  if (silent) mark();
  else show();
}

function mark() {
  for (const a of document.querySelectorAll('aside a[href]')) {
    const here = a.getAttribute('href') === location.pathname && !a.matches('.brand, .new');
    here ? a.setAttribute('aria-current', 'page') : a.removeAttribute('aria-current');
  }
}

async function list() {
  const nav = document.getElementById('chats');
  if (!user) return nav.replaceChildren();
  try {
    const { body } = await getJSON('/api/chats');
    nav.replaceChildren(...body.map((c) => h('a', { href: `/chat/${c.id}`, 'data-link': true }, c.title?.text ?? h('em', {}, 'no title yet'))));
    mark();
  } catch (error) {
    if (error.status === 401) { user = null; show(); } else toast(error.message);
  }
}

function entered(me) {
  user = me.user;
  document.getElementById('logout').hidden = !user;
  list();
  show();
}

function drawPath(head) {
  if (!head.environment && !head.cloudfront && !head.gateway) return;
  const hop = (name, lit, ...rest) => h('li', { class: lit ? 'lit' : 'dark', title: lit ? String(lit) : 'left no mark on the last response' }, h('span', {}, name), ...rest);
  document.getElementById('path').replaceChildren(
    hop('You', 'your browser'),
    hop('CloudFront', head.cloudfront),
    hop('API Gateway', head.gateway),
    hop('Environment', head.environment, head.environment ? badge(head.environment, head.served) : null));
}

document.addEventListener('click', (e) => {
  const a = e.target.closest('a[data-link]');
  if (a && !e.metaKey && !e.ctrlKey && !e.shiftKey && e.button === 0) {
    e.preventDefault();
    go(a.getAttribute('href'));
  } else if (document.body.classList.contains('open') && !e.target.closest('#side, #menu')) {
    document.body.classList.remove('open');
  }
});
document.addEventListener('keydown', (e) => {
  if (e.key === '/' && !e.target.closest('input, textarea, select')) {
    e.preventDefault();
    document.querySelector('.composer textarea')?.focus();
  }
});
document.getElementById('menu').addEventListener('click', (e) => {
  const open = document.body.classList.toggle('open');
  e.currentTarget.setAttribute('aria-expanded', open);
});
document.getElementById('logout').addEventListener('click', async () => {
  await postJSON('/api/logout').catch((e) => toast(e.message));
  entered({ user: null });
  go('/');
});
addEventListener('popstate', show);
onPath(drawPath);

try {
  const { body } = await getJSON('/api/me');
  entered({ user: body.user || null });
} catch (error) {
  toast(error.message);
  show();
}
