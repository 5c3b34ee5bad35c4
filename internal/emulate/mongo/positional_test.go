package mongo_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/aproorg/sluice/internal/emulate/mongo"
)

// A tag is renamed where it is in the list of each conversation.
func TestPositionalUpdate(t *testing.T) {
	c := connect(t, start(t, mongo.Config{Strict: true}), "app").Collection("conversations")
	insert(t, c,
		bson.D{{Key: "_id", Value: 1}, {Key: "user", Value: "ann"}, {Key: "tags", Value: bson.A{"home", "work", "work"}}},
		bson.D{{Key: "_id", Value: 2}, {Key: "user", Value: "ann"}, {Key: "tags", Value: bson.A{"work"}}},
		bson.D{{Key: "_id", Value: 3}, {Key: "user", Value: "bob"}, {Key: "tags", Value: bson.A{"work"}}},
		bson.D{{Key: "_id", Value: 4}, {Key: "user", Value: "ann"}, {Key: "tags", Value: bson.A{}}},
	)
	rename := bson.D{{Key: "$set", Value: bson.D{{Key: "tags.$", Value: "office"}, {Key: "renamed", Value: true}}}}
	got, err := c.UpdateMany(t.Context(), bson.D{{Key: "user", Value: "ann"}, {Key: "tags", Value: "work"}}, rename)
	if err != nil || got.MatchedCount != 2 || got.ModifiedCount != 2 {
		t.Fatalf("%+v, %v, want 2 documents", got, err)
	}
	if got, err = c.UpdateMany(t.Context(), bson.D{{Key: "tags", Value: "nothing"}}, rename); err != nil || got.MatchedCount != 0 {
		t.Errorf("without a match: %+v, %v", got, err)
	}
	var after []struct{ Tags []string }
	cursor, err := c.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	if err := cursor.All(t.Context(), &after); err != nil {
		t.Fatal(err)
	}
	want := []struct{ Tags []string }{{[]string{"home", "office", "work"}}, {[]string{"office"}}, {[]string{"work"}}, {[]string{}}}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Error(diff)
	}
}

// An app that asks by trial whether there are transactions must hear no.
func TestTransactionsAreRefused(t *testing.T) {
	db := connect(t, start(t, mongo.Config{}), "app")
	err := db.RunCommand(t.Context(), bson.D{{Key: "find", Value: "x"}, {Key: "startTransaction", Value: true}, {Key: "autocommit", Value: false}, {Key: "txnNumber", Value: int64(1)}}).Err()
	var refused driver.CommandError
	if !errors.As(err, &refused) || refused.Code != 20 {
		t.Errorf("got %v, want error 20", err)
	}
}
