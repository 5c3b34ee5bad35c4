// All talk with the server: JSON calls, event streams, and what the headers tell about the path.
import { toast } from '#dom';

const seen = new EventTarget();
/** onPath is called with what each response tells about the hops that it came through. */
export const onPath = (f) => seen.addEventListener('path', (e) => f(e.detail));

export class Refused extends Error {
  constructor(status, message, head) {
    super(message);
    this.status = status;
    this.head = head;
  }
}

/** hops reads the marks that each hop leaves in the headers. A hop without one was not on the path. */
function hops(response) {
  const get = (name) => response.headers.get(name);
  return {
    cloudfront: get('x-cache') ?? (/cloudfront/i.test(get('via') ?? '') ? 'via' : null),
    gateway: get('x-amz-apigw-id') ?? get('x-amzn-requestid'),
    environment: get('x-demo-environment'),
    served: Number(get('x-demo-served')),
    trace: get('x-amzn-trace-id'),
  };
}

/** call fetches and turns an error status into Refused, with the app's own words where it has some. */
export async function call(path, options = {}) {
  const began = performance.now();
  const response = await fetch(path, options);
  const head = { ...hops(response), status: response.status, headMs: performance.now() - began };
  seen.dispatchEvent(new CustomEvent('path', { detail: head }));
  if (!response.ok) {
    const text = await response.text();
    let message = `${response.status} ${response.statusText}`.trim();
    try {
      const body = JSON.parse(text);
      message += `: ${body.error ?? body.message}`;
    } catch { /* an error page of some hop, not of the app */ }
    throw new Refused(response.status, message, head);
  }
  return { response, head };
}

export async function getJSON(path) {
  const { response, head } = await call(path);
  return { body: await response.json(), head };
}

export async function postJSON(path, body = {}, signal) {
  const { response, head } = await call(path, post(body, signal));
  return { body: response.status === 204 ? null : await response.json(), head };
}

const post = (body, signal) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' },
  body: JSON.stringify(body),
  signal,
});

/** ask posts a question whose response is itself the stream. */
export async function ask(question, on, signal) {
  const { response, head } = await call('/api/chat', post(question, signal));
  on.head?.(head);
  if (!(await read(response, on))) throw new Error('the stream ended without its last event');
}

/** follow reads a started stream, and comes back to where it was when the connection breaks. */
export async function follow(id, on, signal) {
  let after = -1;
  const counting = { ...on, event: (e) => { if (e.id >= 0) after = e.id; on.event(e); } };
  for (let attempt = 0; ; attempt++) {
    try {
      const before = after;
      const { response, head } = await call(`/api/chat/stream/${id}?after=${after}`, { signal });
      on.head?.(head);
      if (await read(response, counting)) return;
      if (after > before) attempt = 0;
    } catch (error) {
      if (signal?.aborted || (error.status && error.status < 500)) throw error;
    }
    if (attempt >= 5) throw new Error('the stream broke, and five attempts to resume it failed');
    toast('The stream broke. Resuming…');
    await new Promise((done) => setTimeout(done, 400 * 2 ** attempt));
  }
}

/** read hands out events as they arrive and says whether the last one came. on.chunk hears of each network read. */
async function read(response, on) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return false;
    rest += value;
    const blocks = rest.split('\n\n');
    rest = blocks.pop();
    const events = blocks.map(parse);
    on.chunk?.(events.length && events.every((e) => e.name === 'ping') ? 'ping' : 'data');
    for (const e of events) {
      if (e.name === 'error' && e.data.resume) return false;
      on.event(e);
      if (e.name === 'done') return true;
      if (e.name === 'error') throw new Error(e.data.error ?? 'the stream ended with an error');
    }
  }
}

function parse(block) {
  const e = { id: -1, name: 'message', data: {} };
  for (const line of block.split('\n')) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === 'id') e.id = Number(value);
    if (field === 'event') e.name = value;
    if (field === 'data') e.data = JSON.parse(value);
  }
  return e;
}
