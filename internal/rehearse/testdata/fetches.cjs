'use strict';
// Answers with what it fetches from itself: Node reads HTTP there with WebAssembly, which it compiles when it is used first.
const http = require('http');
const at = process.env.PORT;
http.createServer(async (request, response) => {
  if (request.url === '/own') return void response.end('fetched');
  if (request.url !== '/fetch') return void response.end('ready');
  const inner = await fetch(`http://127.0.0.1:${at}/own`);
  response.end(await inner.text());
}).listen(at, '127.0.0.1');
