// Expressions in which mingo 7 differs from MongoDB, or which it lacks: comparisons across types and with missing fields,
// conversions to and from BSON's own types, and errors that it lets pass.

import { evalExpr } from "mingo/core/_internal";
import * as mingo from "mingo/operators/expression";
import * as accumulators from "mingo/operators/accumulator";
import { assert } from "mingo/util";
import { Numeric, Value, compareValues, equalValues, isNumeric, outer, inner, truth, typeName } from "./values.js";
import { isDocument } from "./paths.js";
import * as number from "./numbers.js";
import * as strings from "./strings.js";
import { instant, operators as dates } from "./dates.js";

const { double, plain } = number;

const nil = (v) => v === undefined || v === null || typeName(v) === "undefined";

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

const doubled = (v) => (Array.isArray(v) ? v.map(doubled) : typeof v === "number" ? double(v) : v);
const numbers = (list) => list.filter(isNumeric).map(plain);

// listed evaluates operands in a list, at least and at most so many.
const listed = (name, least, most, f) => (doc, expr, options) => {
  const list = operands(doc, expr, options, name);
  assert(list.length >= least && list.length <= most, `Expression ${name} takes ${least === most ? `exactly ${least}` : `at least ${least}`} arguments, and at most ${most}, but ${list.length} were passed in.`);
  return f(list);
};

// numeric is null for a null operand, and an error for one that is no number.
const numeric = (name, least, most, f) =>
  listed(name, least, most, (list) => {
    if (list.some(nil)) return null;
    for (const v of list) assert(isNumeric(v), `${name} only supports numeric types, not ${typeName(v)}`);
    return f(...list);
  });

const toDouble = (name, f, low = -Infinity, high = Infinity) =>
  numeric(name, 1, 1, (v) => {
    const n = number.numberOf(v);
    assert(v.type !== "decimal", "unregistered operator: arithmetic with Decimal128");
    assert(Number.isNaN(n) || (n >= low && n <= high), `cannot apply ${name} to ${n}, value must be in [${low},${high}]`);
    return double(f(n));
  });

const angle = (name, f) => toDouble(name, f, -Number.MAX_VALUE, Number.MAX_VALUE);

// named evaluates operands by their names.
const named = (name, { names, f }) => (doc, expr, options) => {
  assert(isDocument(expr), `${name} requires an object as an argument, found: ${typeName(expr)}`);
  for (const key of Object.keys(expr)) assert(names.includes(key), `${name} found an unknown argument: ${key}`);
  const given = { has: (key) => key in expr };
  for (const key of names) if (key in expr) given[key] = evalExpr(doc, expr[key], options);
  return f(given);
};

function added(list) {
  if (list.some(nil)) return null;
  let date = false, total = 0;
  for (const v of list) {
    assert(isNumeric(v) || v instanceof Date, `$add only supports numeric or date types, not ${typeName(v)}`);
    if (v instanceof Date) {
      assert(!date, "only one date allowed in an $add expression");
      date = true;
      total = number.add(total, +v);
    } else total = number.add(total, v);
  }
  return date ? new Date(Math.round(number.numberOf(total))) : total;
}

function subtracted([a, b]) {
  if (nil(a) || nil(b)) return null;
  if (a instanceof Date && b instanceof Date) return number.long(BigInt(+a - +b));
  if (a instanceof Date && isNumeric(b)) return new Date(+a - Math.round(plain(b)));
  assert(isNumeric(a) && isNumeric(b), `can't $subtract ${typeName(b)} from ${typeName(a)}`);
  return number.subtract(a, b);
}

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
    if (["date", "objectId", "timestamp"].includes(type)) return instant(v);
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

function stamp(name, v) {
  assert(typeName(v) === "timestamp", `Argument to ${name} must be a timestamp, but is ${typeName(v)}`);
  return BigInt(v.text);
}

function arrayOf(name, v) {
  assert(Array.isArray(v), `The argument to ${name} must be an array, but was of type: ${typeName(v)}`);
  return v;
}

const ends = (name, pick) => (doc, expr, options) => {
  if (Array.isArray(doc)) return doc.length === 0 ? null : (evalExpr(pick(doc), expr, options.constructor.init(options).update({ root: pick(doc) })) ?? null);
  const [v] = operands(doc, expr, options, name, 1);
  return nil(v) ? null : pick(arrayOf(name, v));
};

// Mingo's, with plain numbers.
const borrowed = ["$bitAnd", "$bitNot", "$bitOr", "$bitXor", "$range"];

export const expressions = {
  ...mingo,
  ...Object.fromEntries(borrowed.map((name) => [name, computed(mingo[name])])),
  ...dates,
  ...Object.fromEntries(Object.entries(strings.listed).map(([name, [least, most, f]]) => [name, listed(name, least, most, f)])),
  ...Object.fromEntries(Object.entries(strings.named).map(([name, how]) => [name, named(name, how)])),
  $add: listed("$add", 0, Infinity, added),
  $subtract: listed("$subtract", 2, 2, subtracted),
  $multiply: numeric("$multiply", 0, Infinity, (...list) => list.reduce(number.multiply, 1)),
  $mod: numeric("$mod", 2, 2, number.mod),
  $pow: numeric("$pow", 2, 2, number.pow),
  $divide: numeric("$divide", 2, 2, (a, b) => {
    assert(a.type !== "decimal" && b.type !== "decimal", "unregistered operator: arithmetic with Decimal128");
    assert(number.numberOf(b) !== 0, "can't $divide by zero");
    return double(number.numberOf(a) / number.numberOf(b));
  }),
  $abs: numeric("$abs", 1, 1, number.abs),
  $ceil: numeric("$ceil", 1, 1, number.kept((n) => (typeof n === "bigint" ? undefined : Math.ceil(n)))),
  $floor: numeric("$floor", 1, 1, number.kept((n) => (typeof n === "bigint" ? undefined : Math.floor(n)))),
  $round: numeric("$round", 1, 2, number.rounded("$round", true)),
  $trunc: numeric("$trunc", 1, 2, number.rounded("$trunc", false)),
  $exp: toDouble("$exp", Math.exp),
  $sqrt: toDouble("$sqrt", Math.sqrt, 0),
  $ln: toDouble("$ln", Math.log, Number.MIN_VALUE),
  $log10: toDouble("$log10", Math.log10, Number.MIN_VALUE),
  $log: numeric("$log", 2, 2, (a, base) => {
    const [n, b] = [number.numberOf(a), number.numberOf(base)];
    assert(!(n <= 0), `$log's argument must be a positive number, but is ${n}`);
    assert(!(b <= 0) && b !== 1, `$log's base must be a positive number not equal to 1, but is ${b}`);
    return double(Math.log(n) / Math.log(b));
  }),
  $sin: angle("$sin", Math.sin), $cos: angle("$cos", Math.cos), $tan: angle("$tan", Math.tan),
  $asin: toDouble("$asin", Math.asin, -1, 1), $acos: toDouble("$acos", Math.acos, -1, 1), $atan: toDouble("$atan", Math.atan),
  $sinh: toDouble("$sinh", Math.sinh), $cosh: toDouble("$cosh", Math.cosh), $tanh: toDouble("$tanh", Math.tanh),
  $asinh: toDouble("$asinh", Math.asinh), $acosh: toDouble("$acosh", Math.acosh, 1), $atanh: toDouble("$atanh", Math.atanh, -1, 1),
  $atan2: numeric("$atan2", 2, 2, (y, x) => double(Math.atan2(plain(y), plain(x)))),
  $degreesToRadians: toDouble("$degreesToRadians", (n) => n * (Math.PI / 180)),
  $radiansToDegrees: toDouble("$radiansToDegrees", (n) => n * (180 / Math.PI)),

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

  $sum: both(number.sum),
  $avg: both((list) => (numbers(list).length === 0 ? null : double(number.numberOf(number.sum(list)) / numbers(list).length))),
  $max: both(bestOf(1)),
  $min: both(bestOf(-1)),
  $stdDevPop: both((list) => doubled(accumulators.$stdDevPop(numbers(list), null))),
  $stdDevSamp: both((list) => doubled(accumulators.$stdDevSamp(numbers(list), null))),
  $median: (doc, expr, options) => doubled((Array.isArray(doc) ? accumulators : mingo).$median(doc, expr, options)),
  $percentile: (doc, expr, options) => doubled((Array.isArray(doc) ? accumulators : mingo).$percentile(doc, expr, options)),
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
  $indexOfArray(doc, expr, options) {
    const [list, v, from, to] = operands(doc, expr, options, "$indexOfArray");
    if (nil(list)) return null;
    assert(Array.isArray(list), `$indexOfArray requires an array as a first argument, found: ${typeName(list)}`);
    const start = nil(from) ? 0 : plain(from), end = Math.min(list.length, nil(to) ? list.length : plain(to));
    assert(Number.isInteger(start) && start >= 0 && Number.isInteger(end) && end >= 0, "$indexOfArray requires a nonnegative starting and ending index");
    for (let i = start; i < end; i++) if (equalValues(list[i], v)) return i;
    return -1;
  },
  $binarySize: single("$binarySize", (v) => {
    if (nil(v)) return null;
    assert(typeof v === "string" || typeName(v) === "binData", `$binarySize requires a string or BinData argument, found: ${typeName(v)}`);
    return typeof v === "string" ? unescape(encodeURIComponent(v)).length : parseInt(v.text.slice(0, 8), 16);
  }),
  $tsSecond: single("$tsSecond", (v) => (nil(v) ? null : number.long(stamp("$tsSecond", v) >> 32n))),
  $tsIncrement: single("$tsIncrement", (v) => (nil(v) ? null : number.long(stamp("$tsIncrement", v) & 0xffffffffn))),
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
