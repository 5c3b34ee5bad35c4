'use strict';
// What LibreChat has from v0.8.8-rc1 on: a path that says when it is ready, which is some
// time after it listens, and no chat before that.
const STARTS = 700; // ms after it listens

let ready = false;

// early answers what can be asked before the server is ready, and tells whether it did.
function early(req, res) {
  const path = req.url.split('?')[0];
  if (path === '/livez') return res.writeHead(200).end('OK');
  if (path === '/readyz') return res.writeHead(ready ? 200 : 503).end(ready ? 'OK' : 'NOT_READY');
  if (ready || req.method !== 'POST' || !path.startsWith('/api/agents/chat') || path.endsWith('/abort')) return false;
  res.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1' });
  return res.end(JSON.stringify({ code: 'SERVER_NOT_READY', error: 'Server is still starting. Please retry shortly.' }));
}

function serve(server) {
  console.log('[GenerationJobManager] Configured with Redis stores');
  const [answer] = server.listeners('request');
  server.removeAllListeners('request');
  server.on('request', (req, res) => early(req, res) || answer(req, res));
  server.once('listening', () => setTimeout(() => {
    ready = true;
    console.log('Server readiness checks passing.');
  }, STARTS));
}

module.exports = { serve };
