package mongo_test

import (
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/aproorg/sluice/internal/emulate/mongo"
)

// TestUniqueIndexes: as https://www.mongodb.com/docs/manual/core/index-unique/ and index-partial/ say. The indexes are
// those of LibreChat v0.8.8.
func TestUniqueIndexes(t *testing.T) {
	s := start(t, mongo.Config{})
	db := connect(t, s, "app")
	unique := func() *options.IndexOptionsBuilder { return options.Index().SetUnique(true) }
	for _, tc := range []struct {
		name  string
		index driver.IndexModel
		first bson.D
		fine  []bson.D
		twice bson.D
	}{
		{"a missing field counts as null", driver.IndexModel{Keys: bson.D{{Key: "email", Value: 1}, {Key: "tenantId", Value: 1}}, Options: unique()},
			bson.D{{Key: "email", Value: "a"}}, []bson.D{{{Key: "email", Value: "b"}}, {{Key: "email", Value: "a"}, {Key: "tenantId", Value: "t"}}}, bson.D{{Key: "email", Value: "a"}}},
		{"null is missing", driver.IndexModel{Keys: bson.D{{Key: "email", Value: 1}}, Options: unique()},
			bson.D{{Key: "x", Value: 1}}, nil, bson.D{{Key: "email", Value: nil}}},
		{"partial by existence", driver.IndexModel{Keys: bson.D{{Key: "googleId", Value: 1}, {Key: "tenantId", Value: 1}},
			Options: unique().SetPartialFilterExpression(bson.D{{Key: "googleId", Value: bson.D{{Key: "$exists", Value: true}}}})},
			bson.D{{Key: "googleId", Value: "g"}}, []bson.D{{{Key: "x", Value: 1}}, {{Key: "x", Value: 1}}}, bson.D{{Key: "googleId", Value: "g"}}},
		{"partial by value", driver.IndexModel{Keys: bson.D{{Key: "filename", Value: 1}, {Key: "context", Value: 1}, {Key: "tenantId", Value: 1}},
			Options: unique().SetPartialFilterExpression(bson.D{{Key: "context", Value: "execute_code"}})},
			bson.D{{Key: "filename", Value: "f"}, {Key: "context", Value: "execute_code"}},
			[]bson.D{{{Key: "filename", Value: "f"}, {Key: "context", Value: "message"}}, {{Key: "filename", Value: "f"}, {Key: "context", Value: "message"}}},
			bson.D{{Key: "filename", Value: "f"}, {Key: "context", Value: "execute_code"}}},
		{"sparse", driver.IndexModel{Keys: bson.D{{Key: "a", Value: 1}, {Key: "b", Value: 1}}, Options: unique().SetSparse(true)},
			bson.D{{Key: "a", Value: 1}}, []bson.D{{{Key: "x", Value: 1}}, {{Key: "x", Value: 1}}}, bson.D{{Key: "a", Value: 1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := db.Collection(tc.name)
			name, err := c.Indexes().CreateOne(t.Context(), tc.index)
			if err != nil {
				t.Fatal(err)
			}
			insert(t, c, tc.first)
			for _, d := range tc.fine {
				insert(t, c, d)
			}
			if _, err := c.InsertOne(t.Context(), tc.twice); !driver.IsDuplicateKeyError(err) {
				t.Errorf("second of %v: %v, want E11000", tc.twice, err)
			}
			other := bson.D{{Key: "_id", Value: "other"}}
			for _, e := range tc.twice { // all of another value
				other = append(other, bson.E{Key: e.Key, Value: "other"})
			}
			insert(t, c, other)
			if _, err := c.UpdateByID(t.Context(), "other", bson.D{{Key: "$set", Value: tc.twice}}); !driver.IsDuplicateKeyError(err) {
				t.Errorf("update to %v: %v, want E11000", tc.twice, err)
			}
			if err := c.FindOneAndUpdate(t.Context(), bson.D{{Key: "_id", Value: "other"}}, bson.D{{Key: "$set", Value: tc.twice}}).Err(); !driver.IsDuplicateKeyError(err) {
				t.Errorf("findAndModify to %v: %v, want E11000", tc.twice, err)
			}
			specs, err := c.Indexes().ListSpecifications(t.Context())
			if err != nil || len(specs) != 2 || specs[1].Unique == nil || !*specs[1].Unique {
				t.Errorf("list of indexes: %+v, %v", specs, err)
			}
			if err := c.Indexes().DropOne(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			insert(t, c, tc.twice) // now that the index is gone
			if _, err := c.Indexes().CreateOne(t.Context(), tc.index); !driver.IsDuplicateKeyError(err) {
				t.Errorf("index over duplicates: %v, want E11000", err)
			}
		})
	}
}

// TestUpdatesOfOneDocumentLoseNone: of many environments at once, plain ones and those by a pipeline.
func TestUpdatesOfOneDocumentLoseNone(t *testing.T) {
	s := start(t, mongo.Config{})
	first := connect(t, s, "env-0").Collection("counters")
	insert(t, first, bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: 0}, {Key: "list", Value: bson.A{bson.D{{Key: "id", Value: 1}, {Key: "n", Value: 0}}}}})
	const environments, each = 6, 10
	var all sync.WaitGroup
	for i := range environments {
		c := connect(t, s, "env").Collection("counters")
		all.Go(func() {
			for range each {
				id := bson.D{{Key: "_id", Value: 1}}
				var err error
				switch i % 3 {
				case 0:
					_, err = c.UpdateOne(t.Context(), id, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}})
				case 1:
					_, err = c.UpdateOne(t.Context(), id, bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: bson.D{{Key: "$add", Value: bson.A{"$n", 1}}}}}}}})
				case 2:
					err = c.FindOneAndUpdate(t.Context(), id, bson.D{{Key: "$inc", Value: bson.D{{Key: "list.$[e].n", Value: 1}, {Key: "n", Value: 1}}}},
						options.FindOneAndUpdate().SetArrayFilters([]any{bson.D{{Key: "e.id", Value: 1}}})).Err()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var got struct {
		N    int
		List []struct{ N int }
	}
	if err := first.FindOne(t.Context(), bson.D{}).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.N != environments*each || got.List[0].N != environments/3*each {
		t.Errorf("%d increments of %d are there, and %d of %d in the list", got.N, environments*each, got.List[0].N, environments/3*each)
	}
}
