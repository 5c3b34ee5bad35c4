'use strict';
// The language model named by librechat.yaml.
const fs = require('fs');

function baseURL() {
  const yaml = process.env.CONFIG_PATH ? fs.readFileSync(process.env.CONFIG_PATH, 'utf8') : '';
  const found = /baseURL:\s*"([^"]+)"/.exec(yaml);
  if (!found) throw new Error('librechat.yaml names no baseURL');
  return found[1];
}

const post = (body, signal) => fetch(`${baseURL()}/chat/completions`, {
  method: 'POST', signal, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'rehearsal', ...body }),
});

// answer yields the words of an answer as they come.
async function* answer(question, signal) {
  const resp = await post({ stream: true, messages: [{ role: 'user', content: question }] }, signal);
  if (!resp.ok) throw new Error(`the model answers ${resp.status}`);
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of resp.body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith('data: ') || line === 'data: [DONE]') continue;
      const word = JSON.parse(line.slice(6)).choices[0]?.delta?.content;
      if (word) yield word;
    }
  }
}

async function title(question) {
  const resp = await post({ messages: [{ role: 'user', content: `Write a title for the conversation: ${question}` }] });
  return (await resp.json()).choices[0].message.content;
}

module.exports = { answer, title };
