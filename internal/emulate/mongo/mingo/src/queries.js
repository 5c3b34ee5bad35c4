// Operators of queries in which mingo 7 differs from MongoDB, or which it lacks.

import { Query } from "mingo/query";
import { evalExpr } from "mingo/core/_internal";
import { get } from "./paths.js";
import { isNumeric, truth, typeName } from "./values.js";

const types = {
  double: 1, string: 2, object: 3, array: 4, binData: 5, undefined: 6, objectId: 7, bool: 8, date: 9, null: 10, regex: 11,
  dbPointer: 12, javascript: 13, symbol: 14, javascriptWithScope: 15, int: 16, timestamp: 17, long: 18, decimal: 19, minKey: -1, maxKey: 127,
};

export const queries = {
  $comment: () => () => true,
  $expr: (_, expr, options) => (doc) => truth(evalExpr(doc, expr, options)),
  $type(path, wanted) {
    const names = [].concat(wanted);
    const is = (v) => v !== undefined && names.some((n) => (n === "number" ? isNumeric(v) : n === typeName(v) || (isNumeric(n) && types[typeName(v)] === Number(n))));
    return (doc) => {
      const v = get(doc, path);
      return is(v) || (Array.isArray(v) && v.some(is));
    };
  },
  $nor: (_, list, options) => {
    const each = list.map((condition) => new Query(condition, options));
    return (doc) => !each.some((q) => q.test(doc));
  },
};
