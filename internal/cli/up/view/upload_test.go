package view

import (
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/timeline"
)

// TestUploadIsShownAsOne: its calls have its number, and the last says what it was.
func TestUploadIsShownAsOne(t *testing.T) {
	begin := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	events := []timeline.Event{
		{Time: at(0), Kind: timeline.RequestStart, Request: "a", Hop: timeline.CloudFront, Method: "POST", Path: "/_sluice/uploads"},
		{Time: at(1), Kind: timeline.Upload, Request: "a", Hop: timeline.CloudFront, Upload: "k", Note: timeline.UploadTicket},
		{Time: at(40), Kind: timeline.RequestEnd, Request: "a", Hop: timeline.CloudFront, Status: 200},
		{Time: at(50), Kind: timeline.RequestStart, Request: "b", Hop: timeline.S3, Method: "PUT", Path: "/bucket/k", Upload: "k"},
		{Time: at(1040), Kind: timeline.RequestEnd, Request: "b", Hop: timeline.S3, Status: 200, Bytes: 30_000_000},
		{Time: at(1041), Kind: timeline.RequestStart, Request: "d", Hop: timeline.CloudFront, Method: "POST", Path: "/api/files"},
		{Time: at(1042), Kind: timeline.Upload, Request: "d", Hop: timeline.CloudFront, Upload: "k", Note: timeline.UploadRequest},
		{Time: at(1043), Kind: timeline.RequestEnd, Request: "d", Hop: timeline.CloudFront, Status: 401},
		{Time: at(1050), Kind: timeline.RequestStart, Request: "c", Hop: timeline.CloudFront, Method: "POST", Path: "/api/files"},
		{Time: at(1051), Kind: timeline.Upload, Request: "c", Hop: timeline.CloudFront, Upload: "k", Note: timeline.UploadRequest},
		{Time: at(2000), Kind: timeline.RequestEnd, Request: "c", Hop: timeline.CloudFront, Status: 200},
	}
	for name, c := range map[string]struct {
		json bool
		want []string
	}{
		"people": {false, []string{"upload 1: ticket\n", "upload 1: put\n", "upload 1: request\n", "upload 1: 30.0 MB by way of S3 in 2.00 s (ticket 40 ms, 1 PUT 1.00 s, then this request)"}},
		"json":   {true, []string{`"upload":{"number":1,"part":"put"}`, `"upload":{"number":1,"part":"request","puts":1,"bytes":30000000,"ticketMs":40,"s3Ms":1000,"totalMs":2000}`}},
	} {
		shows(t, name, c.json, events, c.want)
	}
}
