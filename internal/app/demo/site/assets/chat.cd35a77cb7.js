// The chat: questions, answers as they stream, and what became of the work after them.
import { ask, follow, getJSON, postJSON } from '#api';
import { Cadence } from '#cadence';
import { badge, h, rich, seconds, toast } from '#dom';

const examples = [
  'How does streaming work here?',
  'What survives when the environment freezes?',
  'Why is a cold start slow?',
  'Which limits will my upload meet?',
];

const settings = { mode: 'direct', pace: 45, silence: 0, ...JSON.parse(localStorage.getItem('demo') ?? '{}') };
const newID = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, '0')).join('');

/** chatView shows a chat, or the way to begin one. changed is told when the list of chats has changed. */
export function chatView(main, { id, user, changed, go }) {
  const log = h('section.log', { 'aria-label': 'Conversation' });
  const composer = makeComposer((text) => send(text));
  main.replaceChildren(h('div.chat', {}, log, composer.node));
  let running = null;
  let titled = null; // when the title seen last was saved
  if (id) load();
  else welcome();
  composer.focus();

  async function load() {
    try {
      const { body } = await getJSON(`/api/chats/${id}`);
      log.replaceChildren(...body.entries.map((e) => (e.kind === 'question' ? said(e.text) : answered(e))));
      titled = body.title?.at;
      if (body.title) log.append(titleLine(body.title));
      bottom();
    } catch (error) {
      log.replaceChildren(h('p.failed', {}, error.message));
    }
  }

  function welcome() {
    log.replaceChildren(h('div.welcome', {},
      h('h1', {}, `Hello, ${user}.`),
      h('p', {}, 'This page came from a bucket. What you ask goes to an execution environment, and the answer comes back a word at a time. Watch it arrive.'),
      h('div.examples', {}, ...examples.map((text) => h('button', { type: 'button', onclick: () => send(text) }, text)))));
  }

  async function send(text) {
    if (running) return;
    if (!id) {
      id = newID();
      log.replaceChildren();
      go(`/chat/${id}`, { silent: true });
    }
    log.querySelector('.title:last-child')?.remove();
    log.append(said(text));
    const view = answerView(settings.silence);
    log.append(view.node);
    bottom();
    running = new AbortController();
    let streamId = null;
    composer.busy(async () => {
      if (streamId) await postJSON(`/api/chat/stop/${streamId}`).catch((e) => toast(e.message));
      else running?.abort();
    });
    const question = { chat: id, text, paceMs: settings.pace, silenceS: settings.silence };
    try {
      if (settings.mode === 'direct') {
        await ask(question, view.on, running.signal);
      } else {
        const { body } = await postJSON('/api/chat/start', question, running.signal);
        streamId = body.streamId;
        view.started(body);
        await follow(streamId, view.on, running.signal);
      }
      view.done();
      changed();
      watchTitle(view, performance.now());
    } catch (error) {
      view.failed(error.name === 'AbortError' ? 'Stopped. What had arrived is saved.' : error.message);
      changed();
    } finally {
      running = null;
      composer.idle();
    }
  }

  // The title is looked for rarely: each look wakes a frozen environment for a moment.
  async function watchTitle(view, ended) {
    for (const wait of [2500, 3500, 9000]) {
      await new Promise((done) => setTimeout(done, wait));
      if (!view.node.isConnected) return;
      try {
        const { body } = await getJSON(`/api/chats/${id}`);
        if (body.title && body.title.at !== titled) {
          titled = body.title.at;
          view.title(body.title);
          changed();
          return;
        }
      } catch { /* the next look may succeed */ }
    }
    view.lost(performance.now() - ended);
  }

  function bottom() {
    log.scrollTop = log.scrollHeight;
  }

  function answerView(silence) {
    const text = h('div.text');
    const who = h('div.who');
    const fate = h('p.fate', { hidden: true });
    const cadence = new Cadence();
    const clock = h('span.clock', {}, '…');
    const wait = h('p.wait', {}, h('i', {}), silence ? 'thinking in silence ' : 'waiting for the first byte ', clock);
    const node = h('article.answer', { 'aria-busy': 'true' }, who, wait, text, cadence.node, fate);
    let said = '', pings = 0, drawn = null;
    const began = performance.now();
    const ticking = setInterval(() => {
      clock.textContent = seconds(performance.now() - began) + (pings ? ` · ${pings} heartbeat${pings > 1 ? 's' : ''}` : '');
    }, 100);
    const draw = () => {
      drawn = null;
      const near = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
      rich(text, said);
      if (near) bottom();
    };
    const end = () => {
      clearInterval(ticking);
      wait.remove();
      node.removeAttribute('aria-busy');
      draw();
    };
    return {
      node,
      started: (body) => who.replaceChildren(badge(body.environment, body.served), h('span', {}, 'started it')),
      on: {
        head: (head) => head.environment && who.append(badge(head.environment, head.served)),
        chunk: (kind) => cadence.mark(kind),
        event: (e) => {
          if (e.name === 'ping') { pings++; return; }
          if (e.name !== 'piece') return;
          wait.remove();
          said += e.data.t;
          drawn ??= requestAnimationFrame(draw);
        },
      },
      done: () => { end(); fate.hidden = false; fate.textContent = 'The app is working on a title…'; fate.className = 'fate open'; bottom(); },
      failed: (message) => { end(); node.append(h('p.failed', { role: 'alert' }, message)); },
      title: (t) => { fate.replaceWith(titleLine(t)); bottom(); },
      lost: (ms) => { fate.className = 'fate bad'; fate.textContent = `No title after ${seconds(ms)}: the environment was frozen or replaced before it was saved.`; },
    };
  }
}

const said = (text) => h('article.question', {}, h('p', {}, text));

function answered(e) {
  const text = h('div.text');
  rich(text, e.text);
  return h('article.answer', {}, h('div.who', {}, badge(e.environment)), text, e.stopped ? h('p.fate', {}, 'Cut short.') : null);
}

/** titleLine tells what became of the work after the response. */
function titleLine(t) {
  const frozen = t.frozenMs > 0;
  const text = frozen
    ? `Title “${t.text}” came late, ${seconds(t.tookMs)} after the answer: the environment was frozen for ${seconds(t.frozenMs)} of that.`
    : `Title “${t.text}” was saved ${seconds(t.tookMs)} after the answer. The work survived.`;
  return h(`p.fate.title.${frozen ? 'late' : 'good'}`, {}, text);
}

function makeComposer(send) {
  const input = h('textarea', { rows: 1, placeholder: 'Ask about streaming, freezing, cold starts, limits…', 'aria-label': 'Your question', maxlength: 4000 });
  const button = h('button.send', { type: 'submit', 'aria-label': 'Send' }, 'Send');
  const form = h('form', {}, h('div.line', {}, input, button), options());
  let stop = null;
  const grow = () => { input.style.height = 'auto'; input.style.height = Math.min(input.scrollHeight, 180) + 'px'; };
  const submit = () => {
    if (stop) return stop();
    const text = input.value.trim();
    if (!text) return;
    input.value = '';
    grow();
    send(text);
  };
  input.addEventListener('input', grow);
  input.addEventListener('keydown', (e) => {
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); if (!stop) submit(); }
    if (e.key === 'Escape' && stop) stop();
  });
  form.addEventListener('submit', (e) => { e.preventDefault(); submit(); });
  return {
    node: h('footer.composer', {}, form),
    focus: () => matchMedia('(pointer: fine)').matches && input.focus(),
    busy: (f) => { stop = f; button.textContent = 'Stop'; button.classList.add('stop'); },
    idle: () => { stop = null; button.textContent = 'Send'; button.classList.remove('stop'); },
  };
}

/** options are kept in the browser: how the answer comes, how fast, and after what silence. */
function options() {
  const keep = (name, value) => { settings[name] = value; localStorage.setItem('demo', JSON.stringify(settings)); };
  const choice = (label, name, values) => h('label', {}, h('span', {}, label),
    h('select', { name, onchange: (e) => keep(name, isNaN(e.target.value) ? e.target.value : Number(e.target.value)) },
      ...values.map(([value, text]) => h('option', { value, selected: settings[name] === value }, text))));
  return h('div.options', {},
    choice('Answer', 'mode', [['direct', 'in one request'], ['started', 'start, then read']]),
    choice('Pace', 'pace', [[15, '15 ms a word'], [45, '45 ms a word'], [100, '100 ms a word'], [250, '250 ms a word']]),
    choice('Before it', 'silence', [[0, 'no thinking'], [20, 'think for 20 s'], [60, 'think for 60 s']]));
}
