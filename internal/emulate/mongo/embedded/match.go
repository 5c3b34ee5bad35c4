package embedded

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// filter keeps the documents that a query matches.
func filter(spec any, docs []bson.D) ([]bson.D, error) {
	q, ok := spec.(bson.D)
	if !ok {
		return nil, fmt.Errorf("$match needs a document, not %T", spec)
	}
	kept := []bson.D{}
	for _, d := range docs {
		ok, err := matches(d, q)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, d)
		}
	}
	return kept, nil
}

// matches reports whether a document meets all conditions of a query.
func matches(d bson.D, q bson.D) (bool, error) {
	for _, e := range q {
		ok, err := meets(d, e)
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func meets(d bson.D, e bson.E) (bool, error) {
	switch e.Key {
	case "$and", "$or", "$nor":
		return meetsSeveral(d, e.Key, e.Value)
	}
	if strings.HasPrefix(e.Key, "$") {
		return false, fmt.Errorf("the embedded database does not know %s in a $match after $lookup", e.Key)
	}
	v := get(d, e.Key)
	ops, ok := e.Value.(bson.D)
	if !ok || len(ops) == 0 || !strings.HasPrefix(ops[0].Key, "$") {
		return has(v, e.Value), nil
	}
	for _, op := range ops {
		ok, err := test(v, op)
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func meetsSeveral(d bson.D, op string, list any) (bool, error) {
	arr, _ := list.(bson.A)
	count := 0
	for _, m := range arr {
		q, _ := m.(bson.D)
		ok, err := matches(d, q)
		if err != nil {
			return false, err
		}
		if ok {
			count++
		}
	}
	switch op {
	case "$and":
		return count == len(arr), nil
	case "$or":
		return count > 0, nil
	}
	return count == 0, nil
}

// test applies one operator of a condition to a field's value.
func test(v any, op bson.E) (bool, error) {
	switch op.Key {
	case "$eq":
		return has(v, op.Value), nil
	case "$ne":
		return !has(v, op.Value), nil
	case "$exists":
		want, isBool := op.Value.(bool)
		n, _ := number(op.Value)
		return (v != nil) == (want || !isBool && n != 0), nil
	case "$size":
		arr, ok := v.(bson.A)
		n, isNum := number(op.Value)
		return ok && isNum && len(arr) == int(n), nil
	case "$in", "$nin":
		list, _ := op.Value.(bson.A)
		found := false
		for _, m := range list {
			found = found || has(v, m)
		}
		return found == (op.Key == "$in"), nil
	case "$gt", "$gte", "$lt", "$lte":
		order, ok := compare(v, op.Value)
		return ok && inOrder(op.Key, order), nil
	}
	return false, fmt.Errorf("the embedded database does not know %s in a $match after $lookup", op.Key)
}

func inOrder(op string, order int) bool {
	switch op {
	case "$gt":
		return order > 0
	case "$gte":
		return order >= 0
	case "$lt":
		return order < 0
	}
	return order <= 0
}

// has reports whether a value equals another or is an array that holds it.
func has(v, want any) bool {
	if equal(v, want) {
		return true
	}
	arr, _ := v.(bson.A)
	for _, m := range arr {
		if equal(m, want) {
			return true
		}
	}
	return false
}
