// The view: which stretch of time is on the screen.

const SHORTEST = 2; // ms
const LONGEST = 60 * 60 * 1000;

export class View {
  constructor(span = 20000) {
    this.span = span; // ms across the screen
    this.to = span;
    this.live = true; // the right edge is now
  }

  get from() {
    return this.to - this.span;
  }

  // follow moves the right edge to now, leaving a little air. A young record
  // begins at the left edge and grows.
  follow(now, begin) {
    if (this.live) this.to = Math.max(now + this.span * 0.02, (begin === Infinity ? 0 : begin) + this.span * 0.98);
  }

  pause() {
    this.live = false;
  }

  // zoom changes the span around a share (0 to 1) of the width.
  zoom(factor, share = 1) {
    const span = Math.min(LONGEST, Math.max(SHORTEST, this.span * factor));
    const fixed = this.from + this.span * share;
    this.span = span;
    if (!this.live) this.to = fixed + span * (1 - share);
  }

  pan(ms) {
    this.live = false;
    this.to += ms;
  }

  // fit shows a stretch with air on both sides.
  fit(from, to) {
    const air = Math.max(1, (to - from) * 0.06);
    this.live = false;
    this.span = Math.min(LONGEST, Math.max(SHORTEST, to - from + 2 * air));
    this.to = to + air;
  }

  x(t, width) {
    return ((t - this.from) / this.span) * width;
  }

  t(x, width) {
    return this.from + (x / width) * this.span;
  }

  // ticks are round times, about every 110 pixels.
  ticks(width) {
    const wanted = (this.span * 110) / width;
    const step = STEPS.find((s) => s >= wanted) ?? STEPS.at(-1);
    const out = [];
    for (let t = Math.ceil(this.from / step) * step; t <= this.to; t += step) out.push(t);
    return { step, times: out };
  }
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000, 120000, 300000, 600000, 1800000];

// duration writes a length of time in the unit that reads best.
export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
}

// size writes bytes in decimal units.
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;
}

// clock writes a tick: time since the page's clock began.
export function clock(ms, step) {
  const sign = ms < 0 ? "-" : "";
  const abs = Math.abs(ms);
  const m = Math.floor(abs / 60000);
  const s = (abs % 60000) / 1000;
  const digits = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : step >= 1 ? 3 : 4;
  return `${sign}${m}:${s.toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}
