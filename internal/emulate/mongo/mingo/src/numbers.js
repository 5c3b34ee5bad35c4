// Arithmetic with MongoDB's types of numbers: a result is as wide as the widest operand, and an int or a long that grows
// past its type is the next wider one.

import { assert } from "mingo/util";
import { Numeric, isNumeric, typeName } from "./values.js";

const widths = { int: 0, long: 1, double: 2, decimal: 3 };
const types = ["int", "long", "double"];

// width refuses decimals, which JavaScript cannot compute with.
function width(v) {
  const type = typeName(v);
  assert(type !== "decimal", "unregistered operator: arithmetic with Decimal128");
  return widths[type];
}

export const numberOf = (v) => (v instanceof Numeric ? v.number : v);
const big = (v) => BigInt(v instanceof Numeric ? v.text : v);

// double is a number that stays a double, without a fraction too.
export const double = (n) => (Number.isInteger(n) && !Object.is(n, -0) ? new Numeric("double", String(n), undefined, n) : n);

export function long(b) {
  if (b > 9223372036854775807n || b < -9223372036854775808n) return double(Number(b));
  return new Numeric("long", String(b), undefined, Number(b));
}

const typed = (n, w) => (w === 2 ? double(n) : w === 1 || n !== (n | 0) ? long(BigInt(n)) : n + 0);

// whole is a number as JavaScript counts with it.
export function plain(v) {
  if (!(v instanceof Numeric)) return v;
  width(v);
  assert(v.type === "double" || Number.isSafeInteger(v.number), "unregistered operator: arithmetic with a long past 2^53");
  return v.number;
}

// fold computes with two operands at a time: with numbers, or with whole ones where they are too long for numbers.
function fold(f, whole) {
  return (a, b) => {
    const w = Math.max(width(a), width(b));
    const n = f(numberOf(a), numberOf(b));
    if (w === 2) return double(n);
    if (!Number.isSafeInteger(n) || !Number.isSafeInteger(numberOf(a)) || !Number.isSafeInteger(numberOf(b))) return long(whole(big(a), big(b)));
    return typed(n, w);
  };
}

export const add = fold((a, b) => a + b, (a, b) => a + b);
export const subtract = fold((a, b) => a - b, (a, b) => a - b);
export const multiply = fold((a, b) => a * b, (a, b) => a * b);
const remainder = fold((a, b) => a % b + 0, (a, b) => a % b);
export function mod(a, b) {
  assert(numberOf(b) !== 0, "can't $mod by zero");
  return remainder(a, b);
}

export const sum = (list) => list.filter(isNumeric).reduce(add, 0);

export function pow(a, b) {
  const w = Math.max(width(a), width(b)), n = Math.pow(numberOf(a), numberOf(b));
  assert(!(numberOf(a) === 0 && numberOf(b) < 0), "$pow cannot take a base of 0 and a negative exponent");
  if (w === 2 || numberOf(b) < 0) return numberOf(a) === 1 ? typed(1, w) : double(n);
  return typed1(n, w, () => big(a) ** big(b));
}

function typed1(n, w, whole) {
  return Number.isSafeInteger(n) ? typed(n, w) : Number.isFinite(n) && Math.abs(n) < 2 ** 64 ? long(whole()) : double(n);
}

// kept computes a number of its operand's own type.
export const kept = (f) => (v) => {
  const w = width(v);
  if (w < 2 && !Number.isSafeInteger(numberOf(v))) return f(big(v)) ?? v;
  return typed(f(numberOf(v)), w);
};

export const abs = (v) => {
  if (width(v) === 1 && !Number.isSafeInteger(numberOf(v))) {
    const b = big(v);
    return long(b < 0n ? -b : b);
  }
  return kept(Math.abs)(v);
};

// rounded rounds at a place behind the point, or before it: half to even, or towards zero.
export const rounded = (name, half) => (v, at = 0) => {
  const place = plain(at), n = numberOf(v), w = width(v);
  assert(Number.isInteger(place) && place >= -20 && place <= 100, `cannot apply ${name} with precision value ${place} value must be in [-20, 100]`);
  if (!Number.isFinite(n) || (w < 2 && place >= 0)) return v;
  const scaled = shift(Math.abs(n), place);
  let r = Math.trunc(scaled);
  const rest = scaled - r;
  if (half && (rest > 0.5 || (rest === 0.5 && r % 2 === 1))) r++;
  const out = shift(r, -place) * Math.sign(n);
  return w === 2 ? double(out) : typed(out + 0, w);
};

// shift moves the point, by the decimal text, in which 1.005 has no other digits.
function shift(n, places) {
  const [digits, exponent = "0"] = String(n).split("e");
  return Number(`${digits}e${Number(exponent) + places}`);
}
