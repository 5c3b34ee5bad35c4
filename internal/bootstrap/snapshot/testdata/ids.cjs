'use strict';
// An app that draws random numbers of every kind at its start and at each GET /ids, where it tells them.
const crypto = require('crypto');
const http = require('http');
const net = require('net');
const tls = require('tls');
const { promisify } = require('util');
const { Worker } = require('worker_threads');

const pool = Buffer.allocUnsafe(2688); // as nanoid has one
let at = pool.length;
function pooled() {
  if (at === pool.length) at = crypto.randomFillSync(pool) && 0;
  return pool.subarray(at, (at += 16)).toString('hex');
}

function hello() { // the random bytes of a client's first message
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (data) => { socket.destroy(); server.close(); resolve(data.subarray(11, 43).toString('hex')); });
    }).listen(0, '127.0.0.1', () => tls.connect(server.address().port, '127.0.0.1', { rejectUnauthorized: false }).on('error', () => {}));
  });
}

// blocked are ids of a worker thread that waits for work in Atomics.wait, as those of pools do, and never comes to its loop.
const bell = new Int32Array(new SharedArrayBuffer(4));
const thread = new Worker(`
  const { parentPort, workerData: bell } = require('worker_threads');
  const crypto = require('crypto');
  for (;;) {
    Atomics.wait(bell, 0, 0);
    Atomics.store(bell, 0, 0);
    parentPort.postMessage({ blockedRandomUUID: crypto.randomUUID(), blockedMathRandom: String(Math.random()), blockedVariable: String(process.env.SLUICE_ENVIRONMENT_ID) });
  }`, { eval: true, workerData: bell });
function blocked() {
  return new Promise((resolve) => {
    thread.once('message', resolve);
    Atomics.store(bell, 0, 1);
    Atomics.notify(bell, 0);
  });
}

const publicOf = (pair) => pair.publicKey.export({ type: 'spki', format: 'der' }).toString('hex');

// libraries are ids of those that a directory of modules has: MODULES.
async function libraries() {
  const { createRequire } = require('module');
  const load = createRequire(`${process.env.MODULES}/`);
  const { ObjectId } = load('mongodb');
  const { ServerSessionPool } = load('mongodb/lib/sessions.js');
  mongo.pool = mongo.pool || new ServerSessionPool({ topology: { logicalSessionTimeoutMinutes: 30 } });
  const session = mongo.pool.acquire();
  mongo.pool.release(session);
  return {
    objectId: new ObjectId().toHexString().slice(8),
    mongoSession: session.id.id.toString('hex'),
    nanoid: load('nanoid').nanoid(),
    uuid: load('uuid').v4(),
    mcpSession: await mcp(load),
  };
}
const mongo = {};

// mcp is the session with which the client of one connection asks, made at the start, or that of another where that one has to be given up.
async function mcp(load) {
  const { StreamableHTTPClientTransport } = load('@modelcontextprotocol/sdk/client/streamableHttp.js');
  const connect = async () => {
    mongo.transport = new StreamableHTTPClientTransport(new URL('http://127.0.0.1:1/'), { sessionId: crypto.randomUUID() });
    await mongo.transport.start();
    const send = mongo.transport.send.bind(mongo.transport); // as LibreChat v0.8.8 has it
    mongo.transport.send = (message) => send(message);
  };
  if (!mongo.transport) await connect();
  let closed = false;
  mongo.transport.onclose = () => { closed = true; };
  await mongo.transport.send({ jsonrpc: '2.0', method: 'ping' }).catch(() => {}); // nobody is there
  if (closed) await connect();
  return mongo.transport.sessionId;
}

async function ids() {
  const subtle = await crypto.webcrypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt']);
  const ed = await promisify(crypto.generateKeyPair)('ed25519', {});
  return {
    randomBytes: crypto.randomBytes(16).toString('hex'),
    randomBytesAsync: (await promisify(crypto.randomBytes)(16)).toString('hex'),
    randomUUID: crypto.randomUUID(),
    webRandomUUID: globalThis.crypto ? globalThis.crypto.randomUUID() : crypto.webcrypto.randomUUID(),
    randomInt: [1, 2, 3].map(() => crypto.randomInt(2 ** 47)).join(),
    getRandomValues: Buffer.from(crypto.webcrypto.getRandomValues(new Uint8Array(16))).toString('hex'),
    mathRandom: String(Math.random()),
    pooled: pooled(),
    generateKeyPairSync: publicOf(crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    generateKeyPair: publicOf(ed),
    subtleGenerateKey: Buffer.from(await crypto.webcrypto.subtle.exportKey('raw', subtle)).toString('hex'),
    diffieHellman: crypto.createECDH('prime256v1').generateKeys('hex'),
    tlsClient: await hello(),
    ...await blocked(),
    ...(process.env.MODULES ? await libraries() : {}),
  };
}

const events = [];
process.on('sluice:before-snapshot', async () => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  events.push({ before: true });
});
process.on('sluice:after-restore', ({ environment, snapshotAge, changed }) => {
  events.push({ environment, snapshotAge, changed, variable: process.env.SLUICE_ENVIRONMENT_ID });
});

const first = ids();
first.then(() => http.createServer(async (req, res) => {
  if (req.url.startsWith('/ids')) return res.end(JSON.stringify(await ids()));
  if (req.url.startsWith('/events')) return res.end(JSON.stringify(events));
  return res.end('ok');
}).listen(process.env.PORT, '127.0.0.1', () => console.log('listening')));
