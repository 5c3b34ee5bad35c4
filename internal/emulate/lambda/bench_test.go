package lambda_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/lambda"
)

// BenchmarkInvoke shows what an invocation costs, and how much of it is the
// freeze and the thaw.
func BenchmarkInvoke(b *testing.B) {
	for name, noFreeze := range map[string]bool{"freeze": false, "no-freeze": true} {
		b.Run(name, func(b *testing.B) {
			w := start(b, func(cfg *lambda.Config) { cfg.NoFreeze = noFreeze })
			w.invoke(event{})
			for b.Loop() {
				req, _ := http.NewRequest("POST", w.server.URL+"/2021-11-15/functions/chat/response-streaming-invocations", strings.NewReader("{}"))
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}
