// The pages around the chat: login, about, and what is not there.
import { postJSON } from '#api';
import { h } from '#dom';

/** loginView asks for a name; any will do. */
export function loginView(main, done) {
  const input = h('input', { name: 'name', autocomplete: 'username', required: true, maxlength: 40, placeholder: 'Ada', 'aria-label': 'Your name' });
  const failed = h('p.failed', { role: 'alert' });
  const form = h('form.login', {
    onsubmit: async (e) => {
      e.preventDefault();
      try {
        const { body } = await postJSON('/api/login', { name: input.value });
        done(body);
      } catch (error) {
        failed.textContent = error.message;
      }
    },
  },
  h('h1', {}, 'A chat that shows its path'),
  h('p', {}, 'Answers come through a distribution, a stage and an execution environment, and the page measures how. Any name will do: the login sets three cookies, and that is a test as well.'),
  h('div.line', {}, input, h('button.send', { type: 'submit' }, 'Come in')),
  failed);
  main.replaceChildren(form);
  input.focus();
}

export function aboutView(main) {
  const hop = (name, text) => h('div.hop', {}, h('h2', {}, name), h('p', {}, text));
  main.replaceChildren(h('div.page', {},
    h('h1', {}, 'The path of one answer'),
    h('p.lead', {}, 'The row at the top of each page lights the hops that the last response came through. It is read from the headers that they leave, and a hop that left none stays dark.'),
    h('div.hops', {},
      hop('CloudFront', 'One domain for all. Pages and assets come from a private bucket, /api/* goes on to the stage. Reload a deep link such as this one: a function at the edge turns it into index.html, and an error of the API stays an error.'),
      hop('API Gateway', 'A REST stage with a proxy integration in STREAM mode. It hands bytes on as they come, for up to 15 minutes.'),
      hop('Lambda', 'One execution environment for each request at a time, frozen in between. Its colour on this page is its name’s: two colours in one chat are two environments.'),
      hop('Bootstrap', 'A small Go program, Lambda’s runtime client and the app’s parent. It streams, sends heartbeats, and keeps the environment awake until the app is quiet.'),
      hop('App', 'An ordinary web server that listens on PORT. It knows nothing of all this.'))));
}

export function missingView(main) {
  main.replaceChildren(h('div.page', {}, h('h1', {}, 'Nothing here'), h('p.lead', {}, 'The site has no such page. The front end itself said so, and not the bucket.'), h('a', { href: '/', 'data-link': true }, 'To the chat')));
}
