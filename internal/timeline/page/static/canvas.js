// What both panels draw with: a sharp canvas, the theme's colours, small marks.

// GUTTER is how many pixels left of the time axis hold labels. It follows the
// width of the panels: call fitGutter before drawing.
export let GUTTER = 360;

const NARROW = 190;

export function fitGutter(width) {
  GUTTER = width < 640 ? NARROW : 360;
}

// roomy tells whether there is room for every column of labels, or on a phone
// for the most important ones alone.
export const roomy = () => GUTTER > NARROW;

// colours reads the theme from the style sheet, light-dark() resolved.
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  const out = {};
  for (const name of NAMES) {
    probe.style.color = style.getPropertyValue("--" + name);
    out[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  out.font = style.getPropertyValue("--font");
  out.mono = style.getPropertyValue("--mono");
  return out;
}

const NAMES = ["page", "panel", "raised", "line", "grid", "text", "muted", "accent", "init", "restore", "busy", "draining", "frozen",
  "shutdown", "killed", "cloudfront", "apigateway", "lambda", "s3", "chunk", "mark", "ok", "hover", "selected"];

// prepare sizes a canvas for the screen's pixels, clears it and returns its context.
export function prepare(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const w = Math.round(width * ratio);
  const h = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.height = height + "px";
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  ctx.textBaseline = "middle";
  return ctx;
}

// grid draws the lines of round times behind the lanes, and the edge of now.
export function grid(ctx, view, c, width, height, now) {
  ctx.fillStyle = c.grid;
  const w = width - GUTTER;
  for (const t of view.ticks(w).times) ctx.fillRect(Math.round(GUTTER + view.x(t, w)), 0, 1, height);
  const x = GUTTER + view.x(now, w);
  if (x < width) {
    ctx.fillStyle = c.accent;
    ctx.globalAlpha = 0.55;
    ctx.fillRect(Math.round(x), 0, 1, height);
    ctx.globalAlpha = 1;
  }
}

// gutter draws the panel under the labels, so that bars pass below them.
export function gutter(ctx, c, height) {
  ctx.fillStyle = c.panel;
  ctx.fillRect(0, 0, GUTTER, height);
  ctx.fillStyle = c.line;
  ctx.fillRect(GUTTER - 1, 0, 1, height);
}

// bar fills a rounded stretch; what is too short to see is drawn a pixel wide.
export function bar(ctx, x0, x1, y, height, colour, alpha = 1, radius = 2.5) {
  const w = Math.max(1, x1 - x0);
  ctx.globalAlpha = alpha;
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.roundRect(x0, y, w, height, Math.min(radius, w / 2, height / 2));
  ctx.fill();
  ctx.globalAlpha = 1;
}

// hatch draws slanted lines over a stretch.
export function hatch(ctx, x0, x1, y, height, colour) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x0, y, Math.max(1, x1 - x0), height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2.4;
  ctx.beginPath();
  const step = 5.5;
  for (let x = Math.floor((x0 - height) / step) * step; x < x1 + height; x += step) {
    ctx.moveTo(x, y + height + 1);
    ctx.lineTo(x + height + 2, y - 1);
  }
  ctx.stroke();
  ctx.restore();
}

// diamond marks a first byte.
export function diamond(ctx, x, y, r, fill, edge) {
  ctx.beginPath();
  ctx.moveTo(x, y - r);
  ctx.lineTo(x + r, y);
  ctx.lineTo(x, y + r);
  ctx.lineTo(x - r, y);
  ctx.closePath();
  ctx.fillStyle = fill;
  ctx.fill();
  ctx.strokeStyle = edge;
  ctx.lineWidth = 1;
  ctx.stroke();
}

// ticks draws a line per time, one per pixel column at most.
export function ticks(ctx, times, x, min, max, y, height, colour, alpha = 1) {
  ctx.fillStyle = colour;
  ctx.globalAlpha = alpha;
  let last = -2;
  for (let i = firstAfter(times, x.invert(min)); i < times.length; i++) {
    const at = x(times[i]);
    if (at > max) break;
    const column = Math.round(at);
    if (column - last < 2) continue;
    last = column;
    ctx.fillRect(column, y, 1.2, height);
  }
  ctx.globalAlpha = 1;
}

function firstAfter(times, t) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

// scale is a view as a function from time to pixel and back.
export function scale(view, left, width) {
  const x = (t) => left + view.x(t, width);
  x.invert = (at) => view.t(at - left, width);
  return x;
}

// fitText cuts a text with an ellipsis to a width.
export function fitText(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (ctx.measureText(text.slice(0, middle) + "…").width <= width) low = middle;
    else high = middle - 1;
  }
  return low > 0 ? text.slice(0, low) + "…" : "";
}
