// The strip under each answer: one tick for each read from the network, placed by its time.
import { h, seconds } from '#dom';

const ns = 'http://www.w3.org/2000/svg';
const WIDTH = 600, HEIGHT = 22;

export class Cadence {
  constructor() {
    this.began = performance.now();
    this.marks = [];
    this.svg = document.createElementNS(ns, 'svg');
    this.svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute('preserveAspectRatio', 'none');
    this.svg.setAttribute('aria-hidden', 'true');
    this.text = h('span.numbers');
    this.node = h('div.cadence', {}, this.svg, this.text);
    this.node.hidden = true;
  }

  /** mark notes that bytes arrived now, or that a heartbeat did. */
  mark(kind = 'data') {
    const at = performance.now() - this.began;
    const last = this.marks.at(-1);
    if (last && at - last.at < 1 && last.kind === kind) last.size++;
    else this.marks.push({ at, kind, size: 1 });
    this.node.hidden = false;
    this.queued ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.queued = null;
    const end = Math.max(this.marks.at(-1)?.at ?? 0, 2000);
    const wanted = this.marks.length;
    while (this.svg.childElementCount < wanted) this.svg.append(document.createElementNS(ns, 'rect'));
    this.marks.forEach((m, i) => {
      const r = this.svg.children[i];
      const tall = m.kind === 'ping' ? HEIGHT : Math.min(HEIGHT, 9 + 3 * m.size);
      r.setAttribute('x', ((m.at / end) * (WIDTH - 3)).toFixed(1));
      r.setAttribute('y', HEIGHT - tall);
      r.setAttribute('width', 1.8);
      r.setAttribute('height', tall);
      r.setAttribute('class', m.kind);
    });
    this.text.textContent = this.summary();
  }

  summary() {
    const data = this.marks.filter((m) => m.kind === 'data');
    const pings = this.marks.length - data.length;
    if (!data.length) return pings ? `${pings} heartbeats` : '';
    const gaps = data.slice(1).map((m, i) => m.at - data[i].at);
    const parts = [`first byte ${seconds(data[0].at)}`, `${data.length} reads`];
    if (gaps.length) parts.push(`longest gap ${seconds(Math.max(...gaps))}`);
    if (pings) parts.push(`${pings} heartbeat${pings > 1 ? 's' : ''}`);
    return parts.join(' · ');
  }
}
