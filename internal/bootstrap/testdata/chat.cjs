'use strict';
// A Node app of both of LibreChat's designs: /chat streams its answer and makes a title after it; /generate answers at once and
// generates afterwards. ?model= is the language model. What was saved is at /saved.
const http = require('http');
const saved = [];

async function generate(model) {
  await new Promise((r) => setTimeout(r, 20));
  const res = await fetch(model);
  let text = '';
  for await (const part of res.body) text += Buffer.from(part).toString();
  saved.push(text.length);
}

http.createServer(async (req, res) => {
  const url = new URL(req.url, 'http://x');
  const model = url.searchParams.get('model');
  switch (url.pathname) {
    case '/chat':
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      for (let i = 0; i < 3; i++) {
        res.write(`data: {"i":${i}}\n\n`);
        await new Promise((r) => setTimeout(r, 20));
      }
      res.end('data: {"final":true}\n\n');
      await generate(model);
      return;
    case '/generate':
      res.end('{"streamId":"1"}');
      generate(model);
      return;
    case '/saved':
      res.end(String(saved.length));
      return;
    default:
      res.end('ok');
  }
}).listen(process.env.PORT, '127.0.0.1');
