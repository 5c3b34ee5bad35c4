'use strict';
// A Node server that leaves work of every kind after its responses. ?url= is an upstream, ?db= the port of a one-line database.
const http = require('http');
const net = require('net');
const { Worker, isMainThread, parentPort } = require('worker_threads');

if (!isMainThread) {
  parentPort.on('message', async (url) => {
    await fetch(url).then((r) => r.text());
    console.log('done worker');
  });
  return;
}

setInterval(() => {}, 100); // background business that never ends
(async () => { for (;;) await new Promise((r) => setTimeout(r, 50)); })();

let db;
function query(port, text = 'q') {
  db = db || net.connect(port, '127.0.0.1').setNoDelay();
  return new Promise((resolve) => {
    db.once('data', resolve);
    db.write(text + '\n');
  });
}
const turn = () => new Promise((r) => setImmediate(r));
const done = (what) => console.log('done', what);
let worker;

const work = {
  none() {},
  async fetch({ url }) { await fetch(url).then((r) => r.text()); done('fetch'); },
  async http({ url }) { await new Promise((r) => http.get(url, (res) => res.resume().on('end', r))); done('http'); },
  async chain({ url, port }) {
    for (let i = 0; i < 5; i++) { await query(port); await turn(); }
    await fetch(url).then((r) => r.text());
    await query(port);
    done('chain');
  },
  async save({ port }) { await query(port, 'slow'); done('save'); },
  async piped({ port }) { // as Redis clients do
    const first = query(port);
    await turn();
    db.write('soon\n');
    await first;
    await new Promise((r) => db.once('data', r));
    done('piped');
  },
  async retry() { await new Promise((r) => setTimeout(r, 300)); done('retry'); },
  async sleep() { await require('timers/promises').setTimeout(300); done('sleep'); },
  long() { setTimeout(() => {}, 60000); },
  interval() { setInterval(() => {}, 20); },
  // A standing event stream over GET: neither held nor broken.
  async standing({ url }) { const r = await fetch(url); for await (const _ of r.body); },
  standinghttp({ url }) { http.get(url, (res) => res.resume()); },
  async files() { for (let i = 0; i < 20; i++) await require('fs').promises.readFile(__filename); done('files'); },
  async close() { // behind a busy thread pool
    const file = await require('fs').promises.open(__filename);
    for (let i = 0; i < 8; i++) require('crypto').pbkdf2('a', 'b', 200000, 64, 'sha512', () => {});
    await file.close();
    done('close');
  },
  async worker({ url }) { worker = worker || new Worker(__filename); worker.unref(); worker.postMessage(url); },
  async compute() { await turn(); const end = Date.now() + 300; while (Date.now() < end); done('compute'); },
  async stopped({ url }) {
    const stop = new AbortController();
    const answer = await fetch(url, { method: 'POST', body: 'x', signal: stop.signal });
    setTimeout(() => stop.abort(), 300);
    await answer.text().catch(() => done('stopped'));
  },
  async spare({ port }) { net.connect(port, '127.0.0.1').unref(); },
  async unanswered({ port }) { query(port, 'never'); },
};

http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x');
  const name = url.pathname.slice(1);
  res.end(name);
  const job = work[name];
  if (job) job({ url: url.searchParams.get('url'), port: Number(url.searchParams.get('db')) });
}).listen(process.env.PORT, '127.0.0.1', () => console.log('listening', process.env.NODE_OPTIONS));
