package timeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func seqs(events []Event) []uint64 {
	var out []uint64
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

func TestSinceNumbersAndDrops(t *testing.T) {
	r := NewRecorder(4)
	for i := range 10 {
		r.Record(Event{Kind: Log, Note: strconv.Itoa(i + 1)})
	}
	for _, test := range []struct {
		after  uint64
		want   []uint64
		missed uint64
	}{
		{0, []uint64{7, 8, 9, 10}, 6},
		{5, []uint64{7, 8, 9, 10}, 1},
		{6, []uint64{7, 8, 9, 10}, 0},
		{9, []uint64{10}, 0},
		{10, nil, 0},
		{99, nil, 0},
	} {
		events, missed := r.Since(test.after)
		if diff := cmp.Diff(test.want, seqs(events)); diff != "" || missed != test.missed {
			t.Errorf("Since(%d): missed %d, want %d; events (-want +got):\n%s", test.after, missed, test.missed, diff)
		}
		for _, e := range events {
			if e.Note != strconv.FormatUint(e.Seq, 10) || e.Time.IsZero() {
				t.Errorf("event %d is %+v", e.Seq, e)
			}
		}
	}
}

// What has begun and not ended is told to a reader that comes after it was dropped.
func TestSinceKeepsWhatHolds(t *testing.T) {
	r := NewRecorder(2)
	r.Record(Event{Kind: EnvironmentState, Environment: "env-1", State: Init})
	r.Record(Event{Kind: EnvironmentState, Environment: "env-2", State: Init})
	r.Record(Event{Kind: RequestStart, Request: "a", Hop: CloudFront, Path: "/gone"})
	r.Record(Event{Kind: RequestStart, Request: "b", Hop: CloudFront, Path: "/stays"})
	r.Record(Event{Kind: EnvironmentState, Environment: "env-1", State: Busy})
	r.Record(Event{Kind: EnvironmentState, Environment: "env-2", State: Killed})
	r.Record(Event{Kind: RequestEnd, Request: "a", Hop: CloudFront})
	r.Record(Event{Kind: Log})
	r.Record(Event{Kind: Log})
	events, missed := r.Since(0)
	if diff := cmp.Diff([]uint64{4, 5, 8, 9}, seqs(events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if missed != 5 {
		t.Errorf("missed %d, want 5", missed)
	}
}

func TestSubscriptionSeesEachEventOnce(t *testing.T) {
	const writers, each = 8, 500
	r := NewRecorder(0)
	s := r.Subscribe(0)
	defer s.Close()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				r.Record(Event{Kind: RequestChunk})
			}
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for want := uint64(1); want <= writers*each; {
		events, missed, err := s.Next(ctx)
		if err != nil || missed != 0 {
			t.Fatalf("Next: missed %d, %v", missed, err)
		}
		for _, e := range events {
			if e.Seq != want {
				t.Fatalf("got event %d, want %d", e.Seq, want)
			}
			want++
		}
	}
	wg.Wait()
}

func TestSubscriptionEndsWithItsContext(t *testing.T) {
	s := NewRecorder(0).Subscribe(0)
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Next: %v", err)
	}
}

func BenchmarkRecord(b *testing.B) {
	r := NewRecorder(0)
	b.ReportAllocs()
	for b.Loop() {
		r.Record(Event{Kind: RequestChunk, Request: "r", Hop: Lambda, Bytes: 12})
	}
}

// TestRecordHoldsNoSecrets: what a path or a text brings of secrets is gone before anybody can show it.
func TestRecordHoldsNoSecrets(t *testing.T) {
	r := NewRecorder(0)
	r.Record(Event{Kind: RequestStart, Path: "/cb?code=hunter2&page=1"})
	r.Record(Event{Kind: Log, Note: `GET "/r?token=hunter2" 200`})
	r.Record(Event{Kind: RequestEnd, Error: "ask /r?password=hunter2: broke off"})
	events, _ := r.Since(0)
	if text := fmt.Sprint(events); strings.Contains(text, "hunter2") || !strings.Contains(text, "/cb?code=[redacted]&page=1") {
		t.Errorf("the record is %s", text)
	}
}
