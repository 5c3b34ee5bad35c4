'use strict';
// Generation, shared by both designs: the words go to a sink, the whole goes to
// the database, the title follows.
const { randomUUID } = require('crypto');
const store = require('./store');
const model = require('./model');

// generate returns once the answer is saved; the title is worked on after that.
async function generate({ user, conversationId, text, messageId, signal, emit }) {
  const question = { messageId, conversationId, user, text, isCreatedByUser: true, at: Date.now() };
  const reply = { messageId: randomUUID(), conversationId, user, parentMessageId: messageId, text: '', isCreatedByUser: false, at: Date.now() + 1 };
  const old = await store.get('conversations', conversationId);
  const conversation = old || { conversationId, user, title: 'New Chat', at: Date.now() };
  await store.put('messages', messageId, question);
  await store.put('conversations', conversationId, conversation);
  await emit({ created: true, message: question });
  let unfinished = false;
  try {
    for await (const word of model.answer(text, signal)) {
      reply.text += word;
      await emit({ event: 'on_message_delta', data: { id: reply.messageId, delta: { content: [{ type: 'text', text: word }] } } });
    }
  } catch (err) {
    if (!signal.aborted) throw err;
    unfinished = true;
  }
  await store.put('messages', reply.messageId, { ...reply, unfinished });
  await emit({ final: true, conversation, title: conversation.title, requestMessage: question, responseMessage: { ...reply, unfinished } });
  if (!old && !unfinished) later(conversation, text);
}

// later makes the title after the response, and nobody waits for it.
function later(conversation, text) {
  model.title(text)
    .then((title) => store.put('conversations', conversation.conversationId, { ...conversation, title }))
    .catch((err) => console.error('title failed', err));
}

module.exports = { generate };
