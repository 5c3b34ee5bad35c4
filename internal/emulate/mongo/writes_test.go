package mongo_test

import (
	"bytes"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo"
)

func TestWritesAreReported(t *testing.T) {
	var mu sync.Mutex
	var writes []mongo.Write
	s := start(t, mongo.Config{Wrote: func(w mongo.Write) {
		mu.Lock()
		defer mu.Unlock()
		writes = append(writes, w)
	}})
	c := connect(t, s, "env-1").Collection("messages")
	insert(t, c, bson.D{{Key: "_id", Value: 1}, {Key: "text", Value: "heron"}})
	if err := c.FindOneAndUpdate(t.Context(), bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$set", Value: bson.D{{Key: "text", Value: "stork"}}}}).Err(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(writes) != 2 {
		t.Fatalf("%d writes, want 2", len(writes))
	}
	for i, text := range []string{"heron", "stork"} {
		if w := writes[i]; w.App != "env-1" || w.Collection != "messages" || !bytes.Contains(w.Command, []byte(text)) {
			t.Errorf("write %d is of %s in %s, and has %q: %v", i, w.App, w.Collection, text, bytes.Contains(w.Command, []byte(text)))
		}
	}
}
