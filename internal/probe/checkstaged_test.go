package probe_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// TestStaged: each way in which a body does not come by way of S3 has its own words.
func TestStaged(t *testing.T) {
	for _, c := range []struct {
		name   string
		breaks func(w http.ResponseWriter, r *http.Request) bool
		policy string
		status report.Status
		says   string
		hint   string
	}{
		{name: "all is well", policy: "default-src 'self'; connect-src 'self' http://*:*", status: report.Pass, says: "arrived whole"},
		{name: "a page of its own", breaks: func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == "/_sluice/uploads" && answerWith(w, 200, "<!doctype html>")
		}, status: report.Skip, says: "uploads are off"},
		{name: "CloudFront's refusal", breaks: func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == "/_sluice/uploads" && answerWith(w, 403, "<html>")
		}, status: report.Skip, says: "uploads are off"},
		{name: "signed out", breaks: func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == "/_sluice/uploads" && answerWith(w, 401, `{"message":"Sign in to upload."}`)
		}, status: report.Fail, says: "401", hint: "SLUICE_UPLOAD_AUTHORIZE"},
		{name: "no CORS", breaks: func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodOptions && answerWith(w, 403, "<Error/>")
		}, status: report.Fail, says: "preflight got 403", hint: "CORS"},
		{name: "another origin's CORS", breaks: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Access-Control-Allow-Origin", "https://other.example")
			return r.Method == http.MethodOptions && answerWith(w, 200, "")
		}, status: report.Fail, says: "other.example", hint: "CORS"},
		{name: "a policy without the bucket", policy: "default-src 'self'; connect-src https:", status: report.Fail, says: "keeps browsers from", hint: "connect-src"},
		{name: "S3 refuses", breaks: func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPut && answerWith(w, 403, "<Error><Code>AccessDenied</Code></Error>")
		}, status: report.Fail, says: "AccessDenied", hint: "role"},
		{name: "the app gets another body", breaks: func(w http.ResponseWriter, r *http.Request) bool {
			return r.Header.Get("Sluice-Upload") != "" && answerWith(w, 200, fmt.Sprintf(`{"n":%d,"sum":"00"}`, 20<<20))
		}, status: report.Fail, says: "not the ones that were sent"},
		{name: "the app fails", breaks: func(w http.ResponseWriter, r *http.Request) bool {
			return r.Header.Get("Sluice-Upload") != "" && answerWith(w, 502, `{"message":"S3 did not do it"}`)
		}, status: report.Fail, says: "got 502"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := short()
			o.Quick = true
			d := description.Description{App: "any", Site: &description.Site{}, Upload: &description.Upload{Request: description.Request{Path: "/echo?a=b%20c"}, CountField: "n", DigestField: "sum"}}
			x := result(t, verify(t, serve(t, staging(c.policy, c.breaks)), d, o), "20 MB by way of S3")
			if x.Status != c.status || !strings.Contains(x.Detail, c.says) || !strings.Contains(x.Hint, c.hint) {
				t.Errorf("%+v, want %s %q, hint %q", x, c.status, c.says, c.hint)
			}
			if c.status == report.Pass && !strings.Contains(x.Detail, "does not load the script") {
				t.Errorf("the page has no script, and %q", x.Detail)
			}
		})
	}
}

func answerWith(w http.ResponseWriter, status int, body string) bool {
	w.WriteHeader(status)
	io.WriteString(w, body)
	return true
}

// staging is a site, its bucket and its function in one.
func staging(policy string, breaks func(w http.ResponseWriter, r *http.Request) bool) http.Handler {
	var kept []byte
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		io.WriteString(w, "<!doctype html>")
	})
	mux.HandleFunc("POST /_sluice/uploads", func(w http.ResponseWriter, r *http.Request) {
		wish, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(wish), `"url":"/echo?a=b%20c"`) {
			answerWith(w, 400, `{"message":"`+url.QueryEscape(string(wish))+`"}`)
			return
		}
		fmt.Fprintf(w, `{"ticket":"t","parts":[{"url":"http://%[1]s/bucket?1","size":%[2]d,"headers":{"content-type":"a/b"}},{"url":"http://%[1]s/bucket?2","size":%[2]d}]}`, r.Host, 10<<20)
	})
	mux.HandleFunc("OPTIONS /bucket", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	})
	mux.HandleFunc("PUT /bucket", func(w http.ResponseWriter, r *http.Request) {
		part, _ := io.ReadAll(r.Body)
		kept = append(kept, part...)
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body := kept
		if r.Header.Get("Sluice-Upload") != "t" {
			body, _ = io.ReadAll(r.Body)
		}
		fmt.Fprintf(w, `{"n":%d,"sum":"%x"}`, len(body), sha256.Sum256(body))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if breaks == nil || !breaks(w, r) {
			mux.ServeHTTP(w, r)
		}
	})
}
