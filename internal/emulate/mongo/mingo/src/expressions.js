// Expressions in which mingo 7 differs from MongoDB, or which it lacks: comparisons across types and with missing fields,
// conversions to and from BSON's own types, and errors that it lets pass.

import { evalExpr } from "mingo/core/_internal";
import * as mingo from "mingo/operators/expression";
import * as accumulators from "mingo/operators/accumulator";
import { assert } from "mingo/util";
import { Numeric, Value, compareValues, equalValues, isNumeric, outer, inner, truth, typeName } from "./values.js";
import { isDocument } from "./paths.js";

const nil = (v) => v === undefined || v === null;

// operands evaluates those of an operator, of which there must be so many.
function operands(doc, expr, options, name, count) {
  const list = Array.isArray(expr) ? expr : [expr];
  assert(count === undefined || list.length === count, `Expression ${name} takes exactly ${count} arguments. ${list.length} were passed in.`);
  return list.map((e) => evalExpr(doc, e, options));
}

const single = (name, f) => (doc, expr, options) => f(operands(doc, expr, options, name, 1)[0]);

const compared = (name, f) => (doc, expr, options) => {
  const [a, b] = operands(doc, expr, options, name, 2);
  return f(a === undefined && b === null ? -1 : a === null && b === undefined ? 1 : compareValues(a, b));
};

const double = (n) => (Number.isInteger(n) && !Object.is(n, -0) ? new Numeric("double", String(n), undefined, n) : n);

// plain is a number as JavaScript computes with it.
function plain(v) {
  if (!(v instanceof Numeric)) return v;
  const n = v.valueOf();
  assert(v.type === "double" || Number.isSafeInteger(n), "unregistered operator: arithmetic with a long past 2^53");
  return n;
}

// computed calls an operator of mingo's with operands that are evaluated and plain.
const computed = (f, result = (v) => v) => (doc, expr, options) => {
  const literal = (e) => ({ $literal: plain(evalExpr(doc, e, options)) });
  if (Array.isArray(expr)) return result(f(doc, expr.map(literal), options));
  if (isDocument(expr) && Object.keys(expr)[0]?.[0] !== "$") {
    const named = {};
    for (const name of Object.keys(expr)) {
      const v = literal(expr[name]);
      if (v.$literal !== undefined) named[name] = v;
    }
    return result(f(doc, named, options));
  }
  return result(f(doc, literal(expr), options));
};

// both is an operator that is an accumulator in $group and an expression elsewhere.
const both = (f) => (doc, expr, options) => {
  if (Array.isArray(doc)) return f(doc.map((d) => evalExpr(d, expr, options.constructor.init(options).update({ root: d }))));
  const list = operands(doc, expr, options, "");
  return f(list.length === 1 && Array.isArray(list[0]) ? list[0] : list);
};

const numbers = (list) => list.filter(isNumeric).map(plain);
const sum = (list) => numbers(list).reduce((a, b) => a + b, 0);

function bestOf(sign) {
  return (list) => list.filter((v) => !nil(v)).reduce((best, v) => (best === null || compareValues(v, best) * sign > 0 ? v : best), null);
}

const convertible = (to, v) => new Error(`Unsupported conversion from ${typeName(v)} to ${to} in $convert with no onError value`);

function parsed(to, text, pattern) {
  if (!pattern.test(text)) throw new Error(`Failed to parse number '${text}' in $convert with no onError value`);
  return Number(text);
}

function whole(to, v, low, high) {
  let n;
  switch (typeName(v)) {
    case "bool":
      n = v ? 1 : 0;
      break;
    case "string":
      n = parsed(to, v, /^[+-]?\d+$/);
      break;
    case "date":
      if (to === "int") throw convertible(to, v);
      n = +v;
      break;
    case "int": case "long": case "double": case "decimal":
      n = Math.trunc(v instanceof Numeric ? v.number : v);
      break;
    default:
      throw convertible(to, v);
  }
  assert(n >= low && n <= high, `Conversion would overflow target type in $convert with no onError value: ${n}`);
  return n;
}

const conversions = {
  string(v) {
    const type = typeName(v);
    if (type === "date") return v.toISOString();
    if (["string", "bool", "int", "long", "double", "decimal", "objectId"].includes(type)) return String(v instanceof Value ? v.text : v);
    throw convertible("string", v);
  },
  bool: (v) => (isNumeric(v) || typeof v === "boolean" ? truth(v) : true),
  int: (v) => whole("int", v, -2147483648, 2147483647),
  long(v) {
    if (v instanceof Numeric && v.type === "long") return v;
    if (typeof v === "string" && /^[+-]?\d{1,19}$/.test(v)) return new Numeric("long", String(BigInt(v)), undefined, Number(v));
    const n = whole("long", v, -(2 ** 63), 2 ** 63);
    return new Numeric("long", String(BigInt(n)), undefined, n);
  },
  double(v) {
    if (typeof v === "boolean") return double(v ? 1 : 0);
    if (typeof v === "string") return double(parsed("double", v, /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i));
    if (v instanceof Date) return double(+v);
    if (isNumeric(v)) return double(v instanceof Numeric ? v.number : v);
    throw convertible("double", v);
  },
  decimal(v) {
    if (v instanceof Numeric && v.type === "decimal") return v;
    const n = conversions.double(v);
    const text = typeof v === "string" ? v : n instanceof Numeric ? n.text : String(n);
    return new Numeric("decimal", text, undefined, Number(text));
  },
  date(v) {
    const type = typeName(v);
    if (type === "date") return v;
    if (type === "objectId") return new Date(parseInt(v.text.slice(0, 8), 16) * 1000);
    if (type === "timestamp") return new Date(Number(BigInt(v.text) >> 32n) * 1000);
    const d = type === "string" ? new Date(v) : isNumeric(v) && type !== "int" ? new Date(Math.trunc(v.number ?? v)) : null;
    if (!d) throw convertible("date", v);
    assert(!Number.isNaN(+d), `Error parsing date string '${v}'`);
    return d;
  },
  objectId(v) {
    if (typeName(v) === "objectId") return v;
    if (typeof v !== "string") throw convertible("objectId", v);
    assert(/^[0-9a-f]{24}$/i.test(v), `Failed to parse objectId '${v}' in $convert with no onError value`);
    return new Value("objectId", v.toLowerCase());
  },
};
const typeNumbers = { 1: "double", 2: "string", 7: "objectId", 8: "bool", 9: "date", 16: "int", 18: "long", 19: "decimal" };

const to = (name, type) => single(name, (v) => (nil(v) ? null : conversions[type](v)));

function arrayOf(name, v) {
  assert(Array.isArray(v), `The argument to ${name} must be an array, but was of type: ${typeName(v)}`);
  return v;
}

const ends = (name, pick) => (doc, expr, options) => {
  if (Array.isArray(doc)) return doc.length === 0 ? null : (evalExpr(pick(doc), expr, options.constructor.init(options).update({ root: pick(doc) })) ?? null);
  const [v] = operands(doc, expr, options, name, 1);
  return nil(v) ? null : pick(arrayOf(name, v));
};

// Arithmetic, dates and numbers inside strings: mingo's, with plain numbers.
const arithmetic = [
  "$abs", "$add", "$ceil", "$exp", "$floor", "$ln", "$log", "$log10", "$mod", "$multiply", "$pow", "$round", "$sqrt", "$subtract", "$trunc",
  "$bitAnd", "$bitNot", "$bitOr", "$bitXor", "$range", "$substr", "$substrBytes", "$substrCP", "$indexOfBytes",
  "$acos", "$acosh", "$asin", "$asinh", "$atan", "$atan2", "$atanh", "$cos", "$cosh", "$degreesToRadians", "$radiansToDegrees", "$sin", "$sinh", "$tan", "$tanh",
  "$dateAdd", "$dateSubtract", "$dateFromParts", "$dateDiff", "$dateTrunc",
];

export const expressions = {
  ...mingo,
  ...Object.fromEntries(arithmetic.map((name) => [name, computed(mingo[name])])),
  $divide: computed(mingo.$divide, (v) => (v === null ? v : double(v))),

  $eq: compared("$eq", (order) => order === 0),
  $ne: compared("$ne", (order) => order !== 0),
  $gt: compared("$gt", (order) => order > 0),
  $gte: compared("$gte", (order) => order >= 0),
  $lt: compared("$lt", (order) => order < 0),
  $lte: compared("$lte", (order) => order <= 0),
  $cmp: compared("$cmp", (order) => order),
  $and: (doc, expr, options) => [].concat(expr).every((e) => truth(evalExpr(doc, e, options))),
  $or: (doc, expr, options) => [].concat(expr).some((e) => truth(evalExpr(doc, e, options))),
  $not: single("$not", (v) => !truth(v)),
  $switch(doc, expr, options) {
    assert(isDocument(expr) && Array.isArray(expr.branches) && expr.branches.length > 0, "$switch requires at least one branch.");
    for (const branch of expr.branches) if (truth(evalExpr(doc, branch.case, options))) return evalExpr(doc, branch.then, options);
    assert("default" in expr, "$switch could not find a matching branch for an input, and no default was specified.");
    return evalExpr(doc, expr.default, options);
  },

  $sum: both(sum),
  $avg: both((list) => (numbers(list).length === 0 ? null : double(sum(list) / numbers(list).length))),
  $max: both(bestOf(1)),
  $min: both(bestOf(-1)),
  $stdDevPop: both((list) => accumulators.$stdDevPop(numbers(list), null)),
  $stdDevSamp: both((list) => accumulators.$stdDevSamp(numbers(list), null)),
  $first: ends("$first", (list) => list[0]),
  $last: ends("$last", (list) => list[list.length - 1]),
  $mergeObjects: both((list) => {
    for (const v of list) assert(nil(v) || isDocument(v), `$mergeObjects requires object inputs, but input is of type ${typeName(v)}`);
    return Object.assign({}, ...list);
  }),

  $size: single("$size", (v) => arrayOf("$size", v).length),
  $in(doc, expr, options) {
    const [v, list] = operands(doc, expr, options, "$in", 2);
    assert(Array.isArray(list), `$in requires an array as a second argument, found: ${typeName(list)}`);
    return list.some((m) => equalValues(m, v));
  },
  $isArray: single("$isArray", Array.isArray),
  $arrayElemAt(doc, expr, options) {
    const [list, at] = operands(doc, expr, options, "$arrayElemAt", 2);
    if (nil(list) || nil(at)) return null;
    assert(Array.isArray(list), `$arrayElemAt's first argument must be an array, but is ${typeName(list)}`);
    const i = plain(at);
    assert(Number.isInteger(i), `$arrayElemAt's second argument must be representable as a 32-bit integer: ${i}`);
    return list[i < 0 ? i + list.length : i];
  },
  $slice(doc, expr, options) {
    const [list, ...n] = operands(doc, expr, options, "$slice").map(plain);
    if (nil(list) || n.some(nil)) return null;
    assert(Array.isArray(list), `First argument to $slice must be an array, but is of type: ${typeName(list)}`);
    assert(n.every(Number.isInteger) && (n.length === 1 || (n.length === 2 && n[1] > 0)), "Arguments to $slice must be whole numbers, the third of them positive");
    if (n.length === 1) return n[0] < 0 ? list.slice(n[0]) : list.slice(0, n[0]);
    const from = n[0] < 0 ? Math.max(0, list.length + n[0]) : n[0];
    return list.slice(from, from + n[1]);
  },
  $objectToArray: single("$objectToArray", (v) => {
    if (nil(v)) return null;
    assert(isDocument(v), `$objectToArray requires a document input, found: ${typeName(v)}`);
    return Object.keys(v).map((k) => ({ k: outer(k), v: v[k] }));
  }),
  $arrayToObject: single("$arrayToObject", (v) => {
    if (nil(v)) return null;
    const out = {};
    for (const m of arrayOf("$arrayToObject", v)) {
      const [k, value] = Array.isArray(m) ? m : [m.k, m.v];
      out[inner(k)] = value;
    }
    return out;
  }),
  $getField(doc, expr, options) {
    const named = isDocument(expr) && "field" in expr;
    const field = evalExpr(doc, named ? expr.field : expr, options);
    assert(typeof field === "string", `$getField requires 'field' to evaluate to a constant String, but got ${typeName(field)}`);
    const input = named && "input" in expr ? evalExpr(doc, expr.input, options) : options.local.root ?? doc;
    return isDocument(input) ? input[inner(field)] : nil(input) ? input : undefined;
  },

  $type: single("$type", typeName),
  $isNumber: single("$isNumber", isNumeric),
  $toString: to("$toString", "string"),
  $toBool: to("$toBool", "bool"),
  $toInt: to("$toInt", "int"),
  $toLong: to("$toLong", "long"),
  $toDouble: to("$toDouble", "double"),
  $toDecimal: to("$toDecimal", "decimal"),
  $toDate: to("$toDate", "date"),
  $toObjectId: to("$toObjectId", "objectId"),
  $convert(doc, expr, options) {
    const v = evalExpr(doc, expr.input, options);
    let type = evalExpr(doc, expr.to, options);
    type = typeNumbers[type] ?? type;
    if (nil(v)) return "onNull" in expr ? evalExpr(doc, expr.onNull, options) : null;
    assert(conversions[type], `Unknown type name: ${type}`);
    try {
      return conversions[type](v);
    } catch (e) {
      if (!("onError" in expr)) throw e;
      return evalExpr(doc, expr.onError, options);
    }
  },
};
