// The lab: the things that go wrong on this path, each behind a button.
import { call, postJSON } from '#api';
import { badge, h, hue, megabytes, seconds } from '#dom';

/** labView shows one card for each experiment. */
export function labView(main) {
  main.replaceChildren(h('div.page', {},
    h('h1', {}, 'Lab'),
    h('p.lead', {}, 'Each card does one thing that this path makes hard. What you see is what production would do.'),
    h('div.cards', {}, burst(), upload(), download(), crash(), hang())));
}

function card(title, text, ...rest) {
  const out = h('p.result', { 'aria-live': 'polite' });
  return { out, node: h('section.card', {}, h('h2', {}, title), h('p', {}, text), ...rest, out) };
}

const button = (text, f) => h('button', {
  type: 'button',
  onclick: async (e) => { e.target.disabled = true; try { await f(); } finally { e.target.disabled = false; } },
}, text);

function burst() {
  const dots = h('div.dots');
  const c = card('Twenty calls at once', 'What a first page does after a login. One environment serves one call at a time, so that this meets cold starts. (To a plain http address, a browser makes six calls at a time at most.)',
    button('Send 20 calls', async () => {
      dots.replaceChildren();
      const began = performance.now(), environments = new Set();
      let slowest = 0, failed = 0;
      await Promise.all(Array.from({ length: 20 }, async (_, i) => {
        const dot = dots.appendChild(h('span.dot', {}, ' '));
        try {
          const { head } = await call(`/api/work?ms=250&call=${i}`, { cache: 'no-store' });
          const ms = performance.now() - began;
          slowest = Math.max(slowest, ms);
          environments.add(head.environment);
          dot.style.setProperty('--hue', hue(head.environment));
          dot.className = 'dot on';
          dot.title = `${head.environment}, ${seconds(ms)}`;
          dot.textContent = ms < 1000 ? Math.round(ms) : (ms / 1000).toFixed(1) + 's';
        } catch (error) {
          failed++;
          dot.className = 'dot bad';
          dot.title = error.message;
          dot.textContent = error.status ?? '×';
        }
      }));
      c.out.textContent = `${environments.size} environment${environments.size === 1 ? '' : 's'} answered, the slowest after ${seconds(slowest)}` + (failed ? `; ${failed} refused.` : '.');
    }), dots);
  return c.node;
}

function upload() {
  const c = card('Upload', 'Lambda takes 6 MB of request, and a binary one travels as base64: about 4.4 MB of file are left.');
  const send = async (file) => {
    const form = new FormData();
    form.append('file', file, file.name ?? 'bytes.bin');
    const began = performance.now();
    try {
      const { response } = await call('/api/upload', { method: 'POST', body: form });
      const body = await response.json();
      c.out.replaceChildren(`${megabytes(body.bytes)} arrived in ${seconds(performance.now() - began)} at `, badge(body.environment));
    } catch (error) {
      c.out.textContent = `Refused: ${error.message}`;
    }
  };
  const bytes = (mb) => new Blob([new Uint8Array(mb * 1048576)]);
  const pick = h('input', { type: 'file', 'aria-label': 'File to upload', onchange: (e) => e.target.files[0] && send(e.target.files[0]) });
  c.out.before(h('div.row', {}, button('Send 4 MB', () => send(bytes(4))), button('Send 7 MB', () => send(bytes(7))), pick));
  return c.node;
}

function download() {
  const bar = h('progress', { max: 1, value: 0, 'aria-label': 'Download' });
  const c = card('Download 20 MB', 'More than a buffered response may have. The first 6 MB come at full speed.',
    button('Download', async () => {
      const began = performance.now();
      try {
        const { response } = await call('/api/download');
        const total = Number(response.headers.get('content-length')) || 20 * 1048576;
        let n = 0;
        for (const reader = response.body.getReader(); ;) {
          const { value, done } = await reader.read();
          if (done) break;
          n += value.length;
          bar.value = n / total;
          const s = (performance.now() - began) / 1000;
          c.out.textContent = `${megabytes(n)} in ${s.toFixed(1)} s, ${(n / 1048576 / s).toFixed(1)} MB/s`;
        }
        if (n !== total) c.out.textContent += `: ${total - n} bytes are missing`;
      } catch (error) {
        c.out.textContent = error.message;
      }
    }), bar);
  return c.node;
}

function crash() {
  const c = card('Crash the app', 'The process ends in the middle of this request. The next one has to work.',
    h('div.row', {}, button('Crash it', async () => {
      const began = performance.now();
      try {
        await postJSON('/api/crash');
      } catch (error) {
        c.out.textContent = `The request ended after ${seconds(performance.now() - began)} with: ${error.message.replace(/\.$/, '')}. `;
      }
      try {
        const again = performance.now();
        const { head } = await call('/api/me');
        c.out.append(`The next one worked after ${seconds(performance.now() - again)}, at `, badge(head.environment, head.served));
      } catch (error) {
        c.out.append(`The next one failed: ${error.message}`);
      }
    })));
  return c.node;
}

function hang() {
  let stop = null;
  const c = card('Hang the app', 'A request that is never answered. Something on the path has to lose patience.',
    h('div.row', {},
      button('Hang', async () => {
        stop = new AbortController();
        const began = performance.now();
        const clock = setInterval(() => { c.out.textContent = `waiting for ${seconds(performance.now() - began)}`; }, 200);
        try {
          await postJSON('/api/hang', {}, stop.signal);
        } catch (error) {
          c.out.textContent = `Ended after ${seconds(performance.now() - began)}: ${error.name === 'AbortError' ? 'you gave up' : error.message}`;
        } finally {
          clearInterval(clock);
        }
      }),
      h('button.quiet', { type: 'button', onclick: () => stop?.abort() }, 'Give up')));
  return c.node;
}
