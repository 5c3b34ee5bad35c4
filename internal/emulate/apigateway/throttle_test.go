package apigateway

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

// A burst passes, what is over it gets 429, and tokens come back at the rate.
func TestThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var noted int
		ok := stack.Integration{Type: stack.IntegrationMock, RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`},
			Responses: []stack.IntegrationResponse{{StatusCode: 200}}}
		api := stack.RestAPI{Address: "a", StageName: "live", Throttling: stack.Throttling{RateLimit: 10, BurstLimit: 3},
			Resources: []stack.Resource{{Path: "/x", Methods: []stack.Method{{HTTPMethod: "GET", Integration: ok}}}}}
		g, err := New(Config{API: api, Record: func(e timeline.Event) {
			if e.Kind == timeline.Limit {
				noted++
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			g.ServeHTTP(w, httptest.NewRequest("GET", "/live/x", nil))
			return w
		}
		for n := range 3 {
			if w := ask(); w.Code != 200 {
				t.Errorf("request %d of the burst: %d", n+1, w.Code)
			}
		}
		w := ask()
		if w.Code != 429 || w.Body.String() != `{"message": "Too Many Requests"}` || w.Header().Get("X-Amzn-Errortype") != "TooManyRequestsException" {
			t.Errorf("over the burst: %d %s %v", w.Code, w.Body, w.Header())
		}
		if noted != 1 {
			t.Errorf("%d limits noted, want 1", noted)
		}
		time.Sleep(100 * time.Millisecond) // of the bubble's clock: the rate's one request
		if w := ask(); w.Code != 200 {
			t.Errorf("a tenth of a second later: %d", w.Code)
		}
	})
}
