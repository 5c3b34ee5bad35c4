'use strict';
// The database: one JSON file per document below FIXTURE_STATE, replaced whole.
// A document's updatedAt is when its file was written.
const fs = require('fs/promises');
const path = require('path');
const { randomUUID } = require('crypto');

const root = process.env.FIXTURE_STATE;
if (!root) throw new Error('Please define the FIXTURE_STATE environment variable');

const file = (kind, id) => path.join(root, kind, `${encodeURIComponent(id)}.json`);

async function put(kind, id, doc) {
  const to = file(kind, id);
  await fs.mkdir(path.dirname(to), { recursive: true });
  const part = `${to}.${randomUUID()}.part`;
  await fs.writeFile(part, JSON.stringify(doc));
  await fs.rename(part, to);
}

async function get(kind, id) {
  try {
    const from = await fs.open(file(kind, id));
    try {
      const { mtime: updatedAt } = await from.stat();
      return { ...JSON.parse(await from.readFile('utf8')), updatedAt };
    } finally {
      await from.close();
    }
  } catch (err) {
    if (err.code === 'ENOENT') return null;
    throw err;
  }
}

async function list(kind, keep) {
  const names = await fs.readdir(path.join(root, kind)).catch(() => []);
  const docs = await Promise.all(names.filter((n) => n.endsWith('.json'))
    .map((n) => get(kind, decodeURIComponent(n.slice(0, -5)))));
  return docs.filter((d) => d && keep(d)).sort((a, b) => a.at - b.at);
}

const remove = (kind, id) => fs.rm(file(kind, id), { force: true });

module.exports = { put, get, list, remove };
