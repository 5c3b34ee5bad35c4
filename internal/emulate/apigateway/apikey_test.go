package apigateway

import (
	"net/http/httptest"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
)

// A method that needs a key refuses what has none or another, as one that needs none does not.
func TestAPIKey(t *testing.T) {
	ok := stack.Integration{Type: stack.IntegrationMock, RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`},
		Responses: []stack.IntegrationResponse{{StatusCode: 200}}}
	methods := []stack.Method{{HTTPMethod: "ANY", APIKeyRequired: true, Integration: ok}, {HTTPMethod: "OPTIONS", Integration: ok}}
	api := stack.RestAPI{Address: "a", StageName: "live", APIKey: "the key", Resources: []stack.Resource{{Path: "/x", Methods: methods}}}
	for _, c := range []struct {
		api         stack.RestAPI
		method, key string
		want        int
	}{
		{api, "GET", "the key", 200},
		{api, "GET", "", 403},
		{api, "GET", "The key", 403},
		{api, "OPTIONS", "", 200},
		{stack.RestAPI{Address: "a", StageName: "live", Resources: api.Resources}, "GET", "", 403}, // an API without a key knows nobody
	} {
		g, err := New(Config{API: c.api})
		if err != nil {
			t.Fatal(err)
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest(c.method, "/live/x", nil)
		if c.key != "" {
			r.Header.Set("X-Api-Key", c.key)
		}
		g.ServeHTTP(w, r)
		if w.Code != c.want || w.Code == 403 && (w.Body.String() != `{"message": "Forbidden"}` || w.Header().Get("X-Amzn-Errortype") != "ForbiddenException") {
			t.Errorf("%s with the key %q: %d %s %v", c.method, c.key, w.Code, w.Body, w.Header())
		}
	}
}
