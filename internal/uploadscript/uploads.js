// Added by Sluice. A request to this site whose body is larger than AWS Lambda takes goes in three steps: a ticket is asked for, the body is put
// into S3, and the request follows without it. Whoever calls XMLHttpRequest or fetch sees one request. Smaller ones are not touched.
(() => {
  'use strict';
  const script = document.currentScript;
  const setting = (name, otherwise) => (script && script.dataset[name]) || otherwise;
  const threshold = Number(setting('threshold', 4e6)); // bytes
  const tickets = new URL(setting('path', '/_sluice/uploads'), location.origin).href;
  const header = 'Sluice-Upload';
  const side = 3; // parts at once
  const attempts = 5; // for each part
  const Native = window.XMLHttpRequest;
  const { open, send, abort, setRequestHeader } = Native.prototype;
  const nativeFetch = window.fetch;
  const takes = /^(POST|PUT|PATCH)$/i;

  // --- bodies

  const escape = (name) => name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/"/g, '%22');
  const lines = (text) => text.replace(/\r\n|\r|\n/g, '\r\n');

  // form is what the HTML standard makes of a FormData. It refers to files and does not read them.
  // https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
  function form(data) {
    const boundary = '----SluiceFormBoundary' + [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
    const parts = [];
    for (const [name, value] of data) {
      const about = `--${boundary}\r\nContent-Disposition: form-data; name="${escape(lines(name))}"`;
      if (typeof value === 'string') {
        parts.push(`${about}\r\n\r\n${lines(value)}\r\n`);
      } else {
        parts.push(`${about}; filename="${escape(value.name)}"\r\nContent-Type: ${value.type || 'application/octet-stream'}\r\n\r\n`, value, '\r\n');
      }
    }
    parts.push(`--${boundary}--\r\n`);
    return { blob: new Blob(parts), type: `multipart/form-data; boundary=${boundary}` };
  }

  // least is a size that the body has at least, without making anything.
  function least(body) {
    if (typeof body === 'string') return body.length;
    if (body instanceof Blob) return body.size;
    if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return body.byteLength;
    if (body instanceof URLSearchParams) return String(body).length;
    if (!(body instanceof FormData)) return 0;
    let n = 0;
    for (const [name, value] of body) n += name.length + (typeof value === 'string' ? value.length : value.size);
    return n;
  }

  // large returns the body as a Blob with its Content-Type, or null for one that goes as it is.
  function large(method, url, body) {
    if (!takes.test(method) || body == null || least(body) * 3 <= threshold) return null; // a letter has up to three bytes
    if (new URL(url, document.baseURI).origin !== location.origin) return null;
    let made;
    if (body instanceof FormData) made = form(body);
    else if (body instanceof Blob) made = { blob: body, type: body.type };
    else if (body instanceof URLSearchParams) made = { blob: new Blob([String(body)]), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
    else made = { blob: new Blob([body]), type: typeof body === 'string' ? 'text/plain;charset=UTF-8' : '' };
    return made.blob.size > threshold ? made : null;
  }

  // --- the two steps before the request

  const aborted = () => new DOMException('The operation was aborted.', 'AbortError');
  const pause = (ms, signal) => new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); reject(aborted()); }, { once: true });
  });

  // stage brings a body into S3, and returns the header of the request that follows, or null where the site takes no uploads.
  async function stage({ method, url, blob, type, headers, signal, progress }) {
    const at = new URL(url, document.baseURI);
    const wish = JSON.stringify({ method: method.toUpperCase(), url: at.pathname + at.search, size: blob.size, type });
    const about = new Headers(headers);
    about.set('Content-Type', 'application/json');
    about.delete(header);
    let answer;
    try {
      answer = await nativeFetch.call(window, tickets, { method: 'POST', headers: about, body: wish, credentials: 'same-origin', signal });
    } catch (err) {
      if (signal.aborted) throw aborted();
      return null; // the request itself will tell
    }
    const offer = await answer.json().catch(() => null);
    if (signal.aborted) throw aborted();
    // A page in the place of an answer is a site's without uploads.
    if (answer.status === 404 || answer.status === 405 || (!offer && answer.status < 500)) return null;
    if (!answer.ok || !offer || !offer.ticket) return answer.ok ? null : asked(wish); // the request's own answer says why
    return (await puts(offer.parts, blob, signal, progress)) ? offer.ticket : 'lost';
  }

  // asked is a wish as it may stand in a header.
  const asked = (wish) => wish.replace(/[^ -~]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

  async function puts(parts, blob, signal, progress) {
    const stop = new AbortController();
    const end = () => stop.abort();
    signal.addEventListener('abort', end, { once: true });
    const loaded = parts.map(() => 0);
    let next = 0;
    let begin = 0;
    const starts = parts.map((p) => (begin += p.size) - p.size);
    const worker = async () => {
      while (next < parts.length) {
        const i = next++;
        const piece = blob.slice(starts[i], starts[i] + parts[i].size);
        await put(parts[i], piece, stop.signal, (n) => {
          loaded[i] = n;
          progress(loaded.reduce((a, b) => a + b, 0));
        });
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(side, parts.length) }, worker));
      return true;
    } catch (err) {
      stop.abort();
      if (signal.aborted) throw aborted();
      return false;
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  async function put(part, piece, signal, progress) {
    for (let attempt = 1; ; attempt++) {
      const status = await once(part, piece, signal, progress);
      if (status >= 200 && status < 300) return;
      progress(0);
      const again = status === 0 || status === 408 || status === 429 || status >= 500;
      if (!again || attempt === attempts) throw new Error(`S3 answered ${status}`);
      await pause(Math.random() * 1000 * 2 ** (attempt - 1), signal);
    }
  }

  // once puts a piece, and returns the status, 0 for none.
  function once(part, piece, signal, progress) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(aborted());
      const x = new Native();
      const stop = () => abort.call(x);
      open.call(x, 'PUT', part.url);
      for (const [name, value] of Object.entries(part.headers || {})) setRequestHeader.call(x, name, value);
      x.upload.onprogress = (e) => progress(Math.min(e.loaded, part.size));
      x.onloadend = () => {
        signal.removeEventListener('abort', stop);
        if (signal.aborted) return reject(aborted());
        if (x.status >= 200 && x.status < 300) progress(part.size);
        resolve(x.status);
      };
      signal.addEventListener('abort', stop, { once: true });
      send.call(x, piece);
    });
  }

  // --- XMLHttpRequest

  const requests = new WeakMap();

  Native.prototype.open = function (method, url) {
    const before = requests.get(this);
    const shown = Object.getOwnPropertyDescriptor(this, 'readyState');
    delete this.readyState;
    giveBackTimeout(this);
    // With a third argument that is undefined, the request is synchronous: https://webidl.spec.whatwg.org/#js-overloads
    const async = arguments.length < 3 || Boolean(arguments[2]);
    requests.set(this, { method: String(method), url: String(url), async, headers: [], staging: null });
    try {
      open.apply(this, arguments);
    } catch (err) { // the request before it is as it was
      if (before) requests.set(this, before);
      if (shown) Object.defineProperty(this, 'readyState', shown);
      throw err;
    }
    const staging = before && before.staging;
    if (staging) {
      before.staging = null; // it ends without a word
      staging.abort();
    }
  };

  Native.prototype.setRequestHeader = function (name, value) {
    const r = requests.get(this);
    if (r && r.staging) throw new DOMException('The request is being sent.', 'InvalidStateError');
    setRequestHeader.call(this, name, value);
    if (r) r.headers.push([name, value]);
  };

  Native.prototype.send = function (body) {
    const r = requests.get(this);
    if (r && r.staging) throw new DOMException('The request is being sent.', 'InvalidStateError');
    const big = r && r.async && this.readyState === 1 && large(r.method, r.url, body);
    if (!big) return send.call(this, body);
    sendStaged(this, r, big, body);
  };

  Native.prototype.abort = function () {
    const r = requests.get(this);
    if (!r || !r.staging) return abort.call(this);
    const staging = r.staging;
    r.staging = null;
    staging.abort();
    finish(this, 'abort', true);
  };

  const fire = (target, type, loaded = 0, total = 0) =>
    target.dispatchEvent(new ProgressEvent(type, { lengthComputable: total > 0, loaded, total }));

  // finish is the end of a request that no server has answered.
  function finish(x, kind, uploading) {
    const state = (value) => Object.defineProperty(x, 'readyState', { value, configurable: true });
    state(4);
    x.dispatchEvent(new Event('readystatechange'));
    if (uploading) for (const type of [kind, 'loadend']) fire(x.upload, type);
    for (const type of [kind, 'loadend']) fire(x, type);
    if (kind === 'abort' && x.readyState === 4) state(0); // unless a listener has opened it again
  }

  const timeouts = Object.getOwnPropertyDescriptor(Native.prototype, 'timeout');

  // countTimeout calls late when the time is over that the page gives the request. What is left after stop is the browser's to count.
  function countTimeout(x, late) {
    const begun = performance.now();
    let given = x.timeout; // in ms, 0 for any
    let clock;
    let stopped = 0; // when
    const count = () => {
      const left = given > 0 ? Math.max(1, begun + given - (stopped || performance.now())) : 0;
      clearTimeout(clock);
      if (stopped) timeouts.set.call(x, left);
      else if (given > 0) clock = setTimeout(late, left);
    };
    count();
    Object.defineProperty(x, 'timeout', { configurable: true, enumerable: true, get: () => given, set(ms) { given = ms >>> 0; count(); } });
    return { end: () => clearTimeout(clock), stop() { stopped = performance.now(); count(); } };
  }

  // giveBackTimeout has the browser count the whole of it again, from the next send.
  function giveBackTimeout(x) {
    if (!Object.prototype.hasOwnProperty.call(x, 'timeout')) return;
    const given = x.timeout;
    delete x.timeout;
    x.timeout = given;
  }

  async function sendStaged(x, r, { blob, type }, body) {
    const staging = new AbortController();
    r.staging = staging;
    const own = r.headers.filter(([name]) => /^content-type$/i.test(name)).map(([, value]) => value).join(', ');
    const clock = countTimeout(x, () => {
      if (r.staging !== staging) return;
      r.staging = null;
      staging.abort();
      finish(x, 'timeout', true);
    });
    fire(x.upload, 'loadstart', 0, blob.size);
    try {
      const ticket = await stage({
        method: r.method, url: r.url, blob, type: own || type, headers: r.headers, signal: staging.signal,
        progress: (n) => r.staging === staging && fire(x.upload, 'progress', n, blob.size),
      });
      if (r.staging !== staging) return;
      r.staging = null;
      if (ticket === null) {
        giveBackTimeout(x);
        return send.call(x, body);
      }
      for (const event of ['load', 'loadend']) fire(x.upload, event, blob.size, blob.size);
      setRequestHeader.call(x, header, ticket);
      clock.stop();
      send.call(x, null);
    } catch (err) {
      if (r.staging !== staging) return; // it was aborted, and said so
      r.staging = null;
      finish(x, 'error', true);
    } finally {
      clock.end();
    }
  }

  // --- fetch

  window.fetch = function fetch(input, init) {
    try {
      const request = input instanceof Request ? input : null;
      const method = String((init && init.method) || (request && request.method) || 'GET');
      const url = request ? request.url : String(input);
      const body = init && init.body;
      if (takes.test(method) && (body != null || (request && request.body !== null && !request.bodyUsed))) {
        if (body == null && readable(request, init)) return fromRequest(request, init, method);
        const big = large(method, url, body);
        if (big) return fetchStaged(input, init, method, url, big);
      }
    } catch (err) {
      // What is wrong with it the browser's own fetch says.
    }
    return nativeFetch.apply(this, arguments);
  };

  // readable says whether the body of a Request is worth a look: one with keepalive is small, and its page may be gone after it.
  const readable = (request, init) => new URL(request.url).origin === location.origin && !request.keepalive && !(init && init.keepalive);

  // fromRequest looks at the body of a Request, which is a copy that nobody reads.
  async function fromRequest(request, init, method) {
    const blob = await request.clone().blob();
    if (blob.size <= threshold) return nativeFetch.call(window, request, init);
    return fetchStaged(request, init, method, request.url, { blob, type: request.headers.get('Content-Type') || '' });
  }

  async function fetchStaged(input, init, method, url, { blob, type }) {
    const headers = new Headers((init && init.headers) || (input instanceof Request ? input.headers : undefined));
    const own = headers.get('Content-Type');
    const given = init && init.signal !== undefined ? init.signal : input instanceof Request && input.signal; // null is none
    const signal = given || new AbortController().signal;
    let ticket;
    try {
      ticket = await stage({ method, url, blob, type: own === null ? type : own, headers, signal, progress() {} });
    } catch (err) {
      if (signal.aborted) throw signal.reason === undefined ? aborted() : signal.reason;
      throw new TypeError('Failed to fetch');
    }
    if (ticket === null) return nativeFetch.call(window, input, init);
    headers.set(header, ticket);
    const rest = {};
    if (input instanceof Request) {
      for (const name of ['cache', 'credentials', 'integrity', 'keepalive', 'redirect', 'referrer', 'referrerPolicy']) rest[name] = input[name];
      rest.signal = input.signal;
    }
    return nativeFetch.call(window, url, { ...rest, ...init, method, headers, body: undefined });
  }
})();
