package embedded

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// foreignTypes are those of BSON at which FerretDB 1.24 ends the connection.
var foreignTypes = map[bson.Type]string{
	bson.TypeDecimal128: "decimal", bson.TypeMinKey: "minKey", bson.TypeMaxKey: "maxKey", bson.TypeDBPointer: "dbPointer", bson.TypeSymbol: "symbol",
	bson.TypeJavaScript: "javascript", bson.TypeCodeWithScope: "javascriptWithScope", bson.TypeUndefined: "undefined",
}

// foreignType names a type in a command that FerretDB does not have, if there is one. A pipeline may have them all.
func foreignType(cmd wire.Command) string {
	if cmd.Name == "aggregate" {
		return ""
	}
	if kind := foreignIn(cmd.Doc); kind != "" {
		return kind
	}
	for _, s := range cmd.Sequences {
		for _, d := range s.Docs {
			if kind := foreignIn(d); kind != "" {
				return kind
			}
		}
	}
	return ""
}

func foreignIn(d bson.Raw) string {
	for _, e := range wire.Elements(d) {
		if kind := foreignValue(e.Value()); kind != "" {
			return kind
		}
	}
	return ""
}

func foreignValue(v bson.RawValue) string {
	if v.Type == bson.TypeEmbeddedDocument || v.Type == bson.TypeArray {
		return foreignIn(v.Value)
	}
	return foreignTypes[v.Type]
}
