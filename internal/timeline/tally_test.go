package timeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTally(t *testing.T) {
	begin := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	var tally Tally
	var ended []Request
	for _, e := range []Event{
		{Time: at(0), Kind: RequestStart, Request: "a", Hop: CloudFront, Method: "POST", Path: "/api/chat"},
		{Time: at(1), Kind: RequestStart, Request: "a", Hop: APIGateway},
		{Time: at(2), Kind: RequestStart, Request: "a", Hop: Lambda},
		{Time: at(2), Kind: EnvironmentState, Environment: "env-1", State: Init},
		{Time: at(40), Kind: EnvironmentStep, Environment: "env-1", Note: "secrets", Took: 30 * time.Millisecond},
		{Time: at(42), Kind: EnvironmentStep, Environment: "env-1", Note: "configuration", Took: 32 * time.Millisecond},
		{Time: at(45), Kind: EnvironmentStep, Environment: "env-1", Note: "spawn"},
		{Time: at(700), Kind: EnvironmentStep, Environment: "env-1", Note: "listen"},
		{Time: at(802), Kind: EnvironmentState, Environment: "env-1", State: Busy},
		{Time: at(802), Kind: Invoke, Request: "a", Environment: "env-1", Invocation: "i-1"},
		{Time: at(810), Kind: RequestFirstByte, Request: "a", Hop: Lambda, Status: 200},
		{Time: at(811), Kind: RequestFirstByte, Request: "a", Hop: CloudFront, Status: 200},
		{Time: at(812), Kind: RequestChunk, Request: "a", Hop: CloudFront, Bytes: 10},
		{Time: at(912), Kind: RequestChunk, Request: "a", Hop: CloudFront, Bytes: 32},
		{Time: at(913), Kind: RequestEnd, Request: "a", Hop: Lambda, Status: 200, Bytes: 42},
		{Time: at(914), Kind: RequestEnd, Request: "a", Hop: CloudFront, Status: 200, Bytes: 42, Note: "Miss from cloudfront"},
		{Time: at(914), Kind: EnvironmentState, Environment: "env-1", State: Draining},
		{Time: at(1014), Kind: EnvironmentState, Environment: "env-1", State: Frozen},
		// The same environment again is warm, and this request fails.
		{Time: at(2000), Kind: RequestStart, Request: "b", Hop: CloudFront, Method: "GET", Path: "/api/x"},
		{Time: at(2001), Kind: RequestStart, Request: "b", Hop: Lambda},
		{Time: at(2002), Kind: EnvironmentState, Environment: "env-1", State: Busy},
		{Time: at(2002), Kind: Invoke, Request: "b", Environment: "env-1", Invocation: "i-2"},
		{Time: at(2010), Kind: RequestEnd, Request: "b", Hop: CloudFront, Status: 502, Error: "cut"},
		{Time: at(3000), Kind: RequestStart, Request: "c", Hop: CloudFront},
	} {
		if r, done := tally.Add(e); done {
			ended = append(ended, r)
		}
	}
	ms := time.Millisecond
	want := []Request{
		{ID: "a", Method: "POST", Path: "/api/chat", Start: at(0), First: CloudFront, Last: Lambda, Environment: "env-1", Invocation: "i-1",
			Status: 200, FirstByte: 811 * ms, Total: 914 * ms, Bytes: 42, Chunks: 2, Cold: 800 * ms,
			Steps: []Step{{"secrets", 30 * ms}, {"configuration", 32 * ms}, {"spawn", 3 * ms}, {"listen", 655 * ms}}, Note: "Miss from cloudfront"},
		{ID: "b", Method: "GET", Path: "/api/x", Start: at(2000), First: CloudFront, Last: Lambda, Environment: "env-1", Invocation: "i-2",
			Status: 502, Total: 10 * ms, Error: "cut"},
	}
	if diff := cmp.Diff(want, ended, cmpopts.IgnoreUnexported(Request{})); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if tally.Requests != 3 || tally.InFlight != 1 || tally.Failed != 1 || tally.ColdStarts != 1 || tally.ColdTime != 800*ms {
		t.Errorf("tally: %+v", tally)
	}
	if want := 1012 * ms; tally.Billed != want {
		t.Errorf("billed %v, want %v", tally.Billed, want)
	}
	if diff := cmp.Diff(map[State]int{Busy: 1}, tally.Environments()); diff != "" {
		t.Errorf("environments (-want +got):\n%s", diff)
	}
}

// TestTallyOfAnUpload: three calls and more are one upload, whose last says what it was.
func TestTallyOfAnUpload(t *testing.T) {
	begin := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	var tally Tally
	got := map[string]Part{}
	for _, e := range []Event{
		{Time: at(0), Kind: RequestStart, Request: "other", Hop: CloudFront},
		{Time: at(0), Kind: RequestStart, Request: "ticket", Hop: CloudFront},
		{Time: at(5), Kind: Upload, Request: "ticket", Hop: CloudFront, Upload: "k", Note: UploadTicket},
		{Time: at(10), Kind: RequestEnd, Request: "ticket", Hop: CloudFront, Status: 200},
		{Time: at(11), Kind: RequestEnd, Request: "other", Hop: CloudFront, Status: 200},
		{Time: at(20), Kind: RequestStart, Request: "p1", Hop: S3, Upload: "k"},
		{Time: at(20), Kind: RequestStart, Request: "p2", Hop: S3, Upload: "k"},
		{Time: at(40), Kind: RequestEnd, Request: "p2", Hop: S3, Status: 503, Bytes: 7},
		{Time: at(50), Kind: RequestStart, Request: "p3", Hop: S3, Upload: "k"},
		{Time: at(60), Kind: RequestEnd, Request: "p1", Hop: S3, Status: 200, Bytes: 100},
		{Time: at(90), Kind: RequestEnd, Request: "p3", Hop: S3, Status: 200, Bytes: 7},
		{Time: at(90), Kind: RequestStart, Request: "signed out", Hop: CloudFront},
		{Time: at(90), Kind: Upload, Request: "signed out", Hop: CloudFront, Upload: "k", Note: UploadRequest},
		{Time: at(91), Kind: RequestEnd, Request: "signed out", Hop: CloudFront, Status: 401},
		{Time: at(91), Kind: RequestStart, Request: "request", Hop: CloudFront},
		{Time: at(92), Kind: Upload, Request: "request", Hop: CloudFront, Upload: "k", Note: UploadRequest},
		{Time: at(120), Kind: RequestEnd, Request: "request", Hop: CloudFront, Status: 200},
		{Time: at(121), Kind: RequestStart, Request: "again", Hop: CloudFront},
		{Time: at(121), Kind: Upload, Request: "again", Hop: CloudFront, Upload: "k", Note: UploadRequest},
		{Time: at(122), Kind: RequestEnd, Request: "again", Hop: CloudFront, Status: 409},
		{Time: at(130), Kind: RequestStart, Request: "next", Hop: S3, Upload: "l"},
		{Time: at(131), Kind: RequestEnd, Request: "next", Hop: S3, Status: 200},
	} {
		if r, ended := tally.Add(e); ended {
			got[r.ID] = r.Part
		}
	}
	want := map[string]Part{
		"other": {}, "ticket": {Number: 1, Name: UploadTicket}, "p1": {Number: 1, Name: UploadPut}, "p2": {Number: 1, Name: UploadPut}, "p3": {Number: 1, Name: UploadPut},
		"request":    {Number: 1, Name: UploadRequest, Puts: 2, Bytes: 107, Ticket: 10 * time.Millisecond, Stored: 80 * time.Millisecond, Whole: 120 * time.Millisecond},
		"signed out": {Number: 1, Name: UploadRequest}, "again": {Number: 1, Name: UploadRequest},
		"next": {Number: 2, Name: UploadPut},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}
