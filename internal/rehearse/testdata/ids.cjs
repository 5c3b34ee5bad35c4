'use strict';
// An app for SnapStart whose sessions come from what it draws at its start: environments that are clones of one snapshot give the same ones.
// With CAREFUL it draws anew after a restore. It also has what an app is free to have: a build's id, and a token that expires.
const crypto = require('crypto');
const http = require('http');

const build = '2f1d8c7e90ab4c55';
const token = { issued: Date.now(), expires: Date.now() + 3600e3 };
const began = process.hrtime.bigint();
let late = 0; // how many timers of two hours have fired
setTimeout(() => { late++; }, 2 * 3600e3);

let seed, drawn, instance;
const draw = () => { seed = crypto.randomBytes(16); drawn = 0; instance = crypto.randomUUID(); };
draw();
if (process.env.CAREFUL) process.on('sluice:after-restore', draw);
const id = () => crypto.createHash('sha256').update(seed).update(`${drawn++}`).digest('hex');

http.createServer((request, response) => {
  const answer = (body) => setTimeout(() => { // the app's work on a request
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(body));
  }, 100);
  switch (request.url) {
    case '/api/session':
      response.setHeader('Set-Cookie', `session=${id()}; Path=/; HttpOnly`);
      return answer({ build, message: { id: id() } });
    case '/api/instance':
      return answer({ build, instance });
    case '/api/clock':
      return answer({ now: Date.now(), expired: Date.now() > token.expires, late, monotonic: Number(process.hrtime.bigint() - began) / 1e6, performance: performance.now() });
    default:
      return response.end();
  }
}).listen(process.env.PORT, '127.0.0.1');
