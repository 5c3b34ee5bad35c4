package awsx_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/awsx/mototest"
	"github.com/aproorg/sluice/internal/hint"
)

// TestStateBucket makes the bucket of a state where each call in turn is the last that
// comes through, as if the run were cut off there, and again: each second run makes the
// rest, and a third one nothing.
func TestStateBucket(t *testing.T) {
	moto := mototest.Start(t)
	to, err := url.Parse(moto.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	var asked []string
	let := 0 // how many calls come through
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		call := r.Method
		for query := range r.URL.Query() {
			if query != "x-id" {
				call += " " + query
			}
		}
		if strings.Contains(string(body), "LocationConstraint>") {
			call += " elsewhere"
		}
		if asked = append(asked, call); len(asked) > let {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	whole := []string{"GET versioning", "PUT elsewhere", "PUT publicAccessBlock", "PUT encryption", "PUT policy", "PUT versioning"}
	config := session(t, server.URL, "eu-north-1")
	for n := range len(whole) {
		name := "sluice-state-123456789012-" + string(rune('a'+n))
		asked, let = nil, n
		if _, err := config.Bucket(name, "123456789012").MakeStateBucket(t.Context()); err == nil {
			t.Errorf("cut off after %d calls it is no error", n)
		}
		asked, let = nil, 100
		if made, err := config.Bucket(name, "123456789012").MakeStateBucket(t.Context()); err != nil || !made {
			t.Errorf("cut off after %d calls, the next run: %v, %v", n, made, err)
		}
		asked = nil
		if made, err := config.Bucket(name, "123456789012").MakeStateBucket(t.Context()); err != nil || made || len(asked) != 1 {
			t.Errorf("a third run: %v, %v, asked %v", made, err, asked)
		}
	}
	for region, create := range map[string]string{"eu-north-1": "PUT elsewhere", "us-east-1": "PUT"} {
		asked, let = nil, 100
		if _, err := session(t, server.URL, region).Bucket("sluice-state-"+region, "").MakeStateBucket(t.Context()); err != nil {
			t.Error(err)
		}
		whole[1] = create
		if diff := cmp.Diff(whole, asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", region, diff)
		}
	}
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refuses.Close()
	if _, err := session(t, refuses.URL, "eu-north-1").Bucket("taken", "123456789012").MakeStateBucket(t.Context()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a bucket of another account: %v", err)
	}
	readOnly := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>User: deployer is not authorized to perform: s3:CreateBucket</Message></Error>")
	}))
	defer readOnly.Close()
	if _, err := session(t, readOnly.URL, "eu-north-1").Bucket("state", "123456789012").MakeStateBucket(t.Context()); err == nil || !strings.Contains(hint.Of(err), "make-state") {
		t.Errorf("without the right to make it: %v, %s", err, hint.Of(err))
	}
}
