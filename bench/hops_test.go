package bench

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/aproorg/sluice/internal/emulate/apigateway"
	"github.com/aproorg/sluice/internal/emulate/cloudfront"
	"github.com/aproorg/sluice/internal/stack"
)

// The emulated hops in front of an origin that writes an event only once the
// client has read the one before. The origin asked directly is the baseline of
// every ratio.

// pingPong is an origin and its client in step.
type pingPong struct{ read chan struct{} }

func (p pingPong) events(write func([]byte)) {
	event := []byte("data: 0123456789012345678901234567890123456789\n\n")
	write(event)
	for range p.read {
		write(event)
	}
}

// BenchmarkHopEvent is the time from the writing of an event to its reading, through
// no hop, each hop alone, and both.
func BenchmarkHopEvent(b *testing.B) {
	direct := benchHop(b, "direct", func(b *testing.B, p pingPong) string { return serve(b, plainOrigin(p)) })
	for _, through := range []struct {
		name string
		hop  func(*testing.B, pingPong) string
	}{
		{"cloudfront", func(b *testing.B, p pingPong) string { return distribution(b, serve(b, plainOrigin(p))) }},
		{"apigateway", func(b *testing.B, p pingPong) string { return stage(b, p) + "/live/x" }},
		{"both", func(b *testing.B, p pingPong) string { return distribution(b, stage(b, p)+"/live") + "/x" }},
	} {
		b.Run(through.name, func(b *testing.B) {
			p50 := measure(b, through.hop)
			b.ReportMetric(float64(p50)/float64(direct), "x-direct")
			b.ReportMetric(float64(p50-direct)/float64(time.Microsecond), "added-µs")
		})
	}
}

func benchHop(b *testing.B, name string, hop func(*testing.B, pingPong) string) (p50 time.Duration) {
	b.Run(name, func(b *testing.B) { p50 = measure(b, hop) })
	return p50
}

func measure(b *testing.B, hop func(*testing.B, pingPong) string) time.Duration {
	p := pingPong{make(chan struct{})}
	res, err := http.Get(hop(b, p))
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	buf := make([]byte, 4096)
	if _, err := res.Body.Read(buf); err != nil {
		b.Fatal(err)
	}
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for range max(b.N, 1000) { // a median needs some, whatever -benchtime says
		start := time.Now()
		p.read <- struct{}{}
		if _, err := res.Body.Read(buf); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	close(p.read)
	slices.Sort(took)
	p50 := took[len(took)/2]
	b.ReportMetric(0, "ns/op") // a mean of no meaning
	b.ReportMetric(float64(p50)/float64(time.Microsecond), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100])/float64(time.Microsecond), "p99-µs")
	return p50
}

func serve(b *testing.B, h http.Handler) string {
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	return s.URL
}

func plainOrigin(p pingPong) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		p.events(func(e []byte) {
			_, _ = w.Write(e)
			_ = http.NewResponseController(w).Flush()
		})
	})
}

func distribution(b *testing.B, origin string) string {
	d, err := cloudfront.New(cloudfront.Config{AssumeHTTPS: true, Origins: map[string]string{"o": origin},
		Distribution: stack.Distribution{Origins: []stack.Origin{{OriginID: "o"}}, DefaultCacheBehavior: stack.CacheBehavior{TargetOriginID: "o"}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(d.Close)
	return serve(b, d)
}

func stage(b *testing.B, p pingPong) string {
	lambda := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		enc := eventstream.NewEncoder()
		send := func(name string, payload []byte) {
			m := eventstream.Message{Payload: payload}
			m.Headers.Set(":message-type", eventstream.StringValue("event"))
			m.Headers.Set(":event-type", eventstream.StringValue(name))
			_ = enc.Encode(w, m)
			_ = http.NewResponseController(w).Flush()
		}
		meta, _ := json.Marshal(map[string]any{"statusCode": 200, "headers": map[string]string{"Content-Type": "text/event-stream"}})
		send("PayloadChunk", append(meta, make([]byte, 8)...))
		p.events(func(e []byte) { send("PayloadChunk", e) })
		send("InvokeComplete", []byte("{}"))
	})
	g, err := apigateway.New(apigateway.Config{LambdaEndpoint: serve(b, lambda), Functions: map[string]string{"f": "f"},
		API: stack.RestAPI{StageName: "live", Resources: []stack.Resource{{Path: "/{proxy+}", Methods: []stack.Method{{HTTPMethod: "ANY",
			Integration: stack.Integration{Type: stack.IntegrationProxy, ResponseTransferMode: stack.TransferStream, Function: "f", Timeout: 15 * time.Minute}}}}}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(g.Close)
	return serve(b, g)
}
