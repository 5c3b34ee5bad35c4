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

setInterval(() => {}, 1000); // sweeps
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

// A child process that answers each line after 400 ms, as a server of MCP does; its first line it may answer later, or never.
let child;
const startChild = (first) => {
  child = require('child_process').spawn(process.execPath, ['-e', `let n = 0; require('readline').createInterface(process.stdin)
    .on('line', (l) => { if (n++ || ${first} > 0) setTimeout(() => console.log(l), n > 1 ? 400 : ${first}); })`], { stdio: ['pipe', 'pipe', 'inherit'], env: {} });
};
const tell = (text) => new Promise((resolve) => { child.stdout.once('data', resolve); child.stdin.write(text + '\n'); });

const starts = {
  async child() { startChild(600); await tell('initialize'); await tell('tools/list'); done('start child'); },
  async retry() { // an election, then attempts with pauses
    for (let i = 0; i < 3; i++) await new Promise((r) => setTimeout(r, 400));
    done('start retry');
  },
  silent() { startChild(-1); tell('initialize'); },
  async fetch() { await fetch(process.env.START_URL).then((r) => r.text()); done('start fetch'); },
};
if (process.env.START) starts[process.env.START]();

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
  async late({ port }) {
    await query(port);
    await query(port, 'late');
    done('late');
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
  async busy({ port }) { // the same with a database that has much to do
    const first = query(port, 'slow');
    await turn();
    db.write('slow\n');
    await first;
    await new Promise((r) => db.once('data', r));
    done('busy');
  },
  // A Redis that answers the second of two commands late; the first answer comes in two pieces.
  async redis({ redis }) {
    const conn = net.connect(redis, '127.0.0.1').setNoDelay();
    conn.write('*2\r\n$3\r\nGET\r\n$4\r\nsoon\r\n');
    await turn();
    conn.write('*2\r\n$3\r\nGET\r\n$4\r\nslow\r\n');
    let text = '';
    await new Promise((r) => conn.on('data', (data) => { if ((text += data).endsWith('-slow\r\n')) r(); }));
    done('redis');
  },
  async behind({ port }) {
    const first = query(port, 'slower');
    await turn();
    db.write('never\n');
    await first;
    done('behind');
  },
  async retry() { await new Promise((r) => setTimeout(r, 300)); done('retry'); },
  loop() { (function again() { setTimeout(again, 100); })(); }, // as a client of a database looks after its pool
  async sleep() { await require('timers/promises').setTimeout(300); done('sleep'); },
  async child() { if (!child) startChild(10); await tell('tools/call'); await tell('tools/call'); done('child'); },
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
  async blocked() { new Worker('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)', { eval: true }).unref(); },
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
  if (job) job({ url: url.searchParams.get('url'), port: Number(url.searchParams.get('db')), redis: Number(url.searchParams.get('redis')) });
}).listen(process.env.PORT, '127.0.0.1', () => console.log('listening', process.env.NODE_OPTIONS));
