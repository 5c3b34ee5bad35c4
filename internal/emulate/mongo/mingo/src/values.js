// Values of BSON that JavaScript has no type for, and MongoDB's order and equality over all values.

// Value carries a BSON value through a pipeline as it is. Its text is the same for equal values of one type.
export class Value {
  constructor(type, text, bson) {
    this.type = type;
    this.text = text;
    this.bson = bson;
  }
  toString() {
    return this.text;
  }
}

// Numeric is a number that JavaScript would not give back as it was: a long, a decimal, a double without a fraction.
export class Numeric extends Value {
  constructor(type, text, bson, number) {
    super(type, text, bson);
    this.number = number;
  }
  valueOf() {
    if (this.type === "decimal") throw new Error("unregistered operator: arithmetic with Decimal128");
    return this.number;
  }
}

export const isNumeric = (v) => typeof v === "number" || v instanceof Numeric;
const numberOf = (v) => (typeof v === "number" ? v : v.number);

// collator compares strings by the language of the command that runs, or is null for their own order.
let collator = null, collationKey = null;
export const collate = (compare, key) => ([collator, collationKey] = [compare, key]);

// typeName is a value's type as $type names it.
export function typeName(v) {
  if (v === undefined) return "missing";
  if (v === null) return "null";
  if (v instanceof Value) return v.type;
  switch (typeof v) {
    case "number":
      return !Number.isInteger(v) ? "double" : v >= -2147483648 && v <= 2147483647 ? "int" : "long";
    case "boolean":
      return "bool";
    case "string":
      return "string";
  }
  if (Array.isArray(v)) return "array";
  if (v instanceof Date) return "date";
  if (v instanceof RegExp) return "regex";
  return "object";
}

// https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
const order = {
  minKey: 0, missing: 1, undefined: 1, null: 2, int: 3, long: 3, double: 3, decimal: 3, symbol: 4, string: 4, object: 5, array: 6,
  binData: 7, objectId: 8, bool: 9, date: 10, timestamp: 11, regex: 12, dbPointer: 13, javascript: 14, javascriptWithScope: 15, maxKey: 16,
};

const simple = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function compareNumbers(a, b) {
  const x = numberOf(a), y = numberOf(b);
  if (Number.isNaN(x) || Number.isNaN(y)) return simple(!Number.isNaN(x), !Number.isNaN(y));
  if (x === y && a instanceof Numeric && b instanceof Numeric && a.type === "long" && b.type === "long") return simple(BigInt(a.text), BigInt(b.text));
  return simple(x, y);
}

// compareValues orders any two values as MongoDB's sort and its comparison expressions do.
export function compareValues(a, b) {
  if (a === b) return 0;
  const type = typeName(a), rank = order[type];
  const across = simple(rank, order[typeName(b)]);
  if (across !== 0) return across;
  switch (rank) {
    case 1: case 2:
      return 0;
    case 3:
      return compareNumbers(a, b);
    case 4:
      return collator ? collator(String(a), String(b)) : simple(String(a), String(b));
    case 5: {
      const x = Object.keys(a), y = Object.keys(b);
      for (let i = 0; i < Math.min(x.length, y.length); i++) {
        const by = simple(order[typeName(a[x[i]])], order[typeName(b[y[i]])]) || simple(x[i], y[i]) || compareValues(a[x[i]], b[y[i]]);
        if (by !== 0) return by;
      }
      return simple(x.length, y.length);
    }
    case 6:
      for (let i = 0; i < Math.min(a.length, b.length); i++) {
        const by = compareValues(a[i], b[i]);
        if (by !== 0) return by;
      }
      return simple(a.length, b.length);
    case 7: // by length, then subtype, then bytes, which its text begins with in this order
    case 8:
      return simple(a.text, b.text);
    case 9: case 10:
      return simple(+a, +b);
    case 12:
      return a instanceof RegExp && b instanceof RegExp ? simple(a.source, b.source) || simple(a.flags, b.flags) : simple(String(a), String(b));
  }
  return simple(a.text, b.text);
}

// equalValues tells a missing value from null.
export const equalValues = (a, b) => compareValues(a, b) === 0 && (a === undefined) === (b === undefined);

// keyText is equal for values that are equal.
export function keyText(v) {
  switch (order[typeName(v)]) {
    case 3:
      return "n" + (numberOf(v) + 0);
    case 4:
      return "s" + (collator ? collationKey(String(v)) : v);
    case 5:
      return "{" + Object.keys(v).map((k) => k + ":" + keyText(v[k])).join() + "}";
    case 6:
      return "[" + v.map(keyText).join() + "]";
    case 9: case 10:
      return typeName(v) + +v;
  }
  return typeName(v) + String(v);
}

// truth is what $cond, $and and $match with $expr take for true: all but false, null, missing and zero.
export const truth = (v) => v !== undefined && v !== null && v !== false && !(isNumeric(v) && numberOf(v) === 0);

// Fields whose names JavaScript would reorder or take for its own have a NUL before them inside; BSON allows none there.
const own = /^(\d+|__proto__)$/;
export const inner = (name) => (own.test(name) ? "\0" + name : name);
export const outer = (name) => (name[0] === "\0" ? name.slice(1) : name);

// HashMap is a map by MongoDB's equality, in mingo's place for its own.
export class HashMap {
  #entries = new Map();
  static init() {
    return new HashMap();
  }
  get size() {
    return this.#entries.size;
  }
  clear() {
    this.#entries.clear();
  }
  get(key) {
    return this.#entries.get(keyText(key))?.[1];
  }
  has(key) {
    return this.#entries.has(keyText(key));
  }
  set(key, value) {
    const text = keyText(key), entry = this.#entries.get(text);
    if (entry) entry[1] = value;
    else this.#entries.set(text, [key, value]);
    return this;
  }
  delete(key) {
    return this.#entries.delete(keyText(key));
  }
  keys() {
    return [...this.#entries.values()].map((e) => e[0]);
  }
  values() {
    return [...this.#entries.values()].map((e) => e[1]);
  }
  entries() {
    return [...this.#entries.values()];
  }
  forEach(f) {
    for (const [key, value] of this.entries()) f(value, key, this);
  }
  [Symbol.iterator]() {
    return this.entries()[Symbol.iterator]();
  }
}
