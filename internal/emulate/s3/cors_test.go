package s3

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// recorded is the answer of a handler to a request.
func recorded(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestCORS, with the answers that localstack has recorded of S3 (tests/aws/services/s3/test_s3_cors.snapshot.json).
func TestCORS(t *testing.T) {
	a := newAccount(t)
	name := aws.String("b")
	preflight := func(path string, headers ...string) *httptest.ResponseRecorder {
		return recorded(a.API(a.key), "OPTIONS", path, "", headers...)
	}
	says := func(what string, w *httptest.ResponseRecorder, status int, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s: no %s in %s", what, part, w.Body)
			}
		}
		if w.Code != status || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", what, w.Code, w.Header())
		}
	}
	const forbidden = "<Code>AccessForbidden</Code>"
	says("no origin", preflight("/b/k"), 400, "<Code>BadRequest</Code>", "Insufficient information. Origin request header needed.")
	says("no bucket", preflight("/none/k", "Origin", "https://x"), 403, forbidden, "CORSResponse: Bucket not found", "<Method>OPTIONS</Method><ResourceType>BUCKET</ResourceType>")
	says("no configuration", preflight("/b/k", "Origin", "https://x", "Access-Control-Request-Method", "PUT"), 403, forbidden, "CORSResponse: CORS is not enabled for this bucket.", "<Method>PUT</Method><ResourceType>BUCKET</ResourceType>")
	if _, err := a.client.GetBucketCors(t.Context(), &sdk.GetBucketCorsInput{Bucket: name}); codeOf(err) != "NoSuchCORSConfiguration" {
		t.Error(err)
	}
	if _, err := a.client.DeleteBucketCors(t.Context(), &sdk.DeleteBucketCorsInput{Bucket: name}); err != nil {
		t.Error(err)
	}
	rules := []types.CORSRule{
		{AllowedOrigins: []string{"https://localhost:4200", "http://*.origin.com"}, AllowedMethods: []string{"GET", "PUT"}, MaxAgeSeconds: aws.Int32(3000), ExposeHeaders: []string{"ETag", "x-amz-request-id"},
			AllowedHeaders: []string{"x-amz-expected-bucket-owner", "x-AMZ-meta-*", "Content-Type"}},
		{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"HEAD"}},
	}
	if _, err := a.client.PutBucketCors(t.Context(), &sdk.PutBucketCorsInput{Bucket: name, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules}}); err != nil {
		t.Fatal(err)
	}
	got, err := a.client.GetBucketCors(t.Context(), &sdk.GetBucketCorsInput{Bucket: name})
	if err != nil || len(got.CORSRules) != 2 || got.CORSRules[0].AllowedHeaders[1] != "x-AMZ-meta-*" || *got.CORSRules[0].MaxAgeSeconds != 3000 || got.CORSRules[1].MaxAgeSeconds != nil {
		t.Errorf("%+v, %v", got, err)
	}
	const vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
	for what, test := range map[string]struct {
		headers []string
		want    map[string]string // nil: refused
	}{
		"the origin": {[]string{"Origin", "https://localhost:4200", "Access-Control-Request-Method", "PUT"},
			map[string]string{"Allow-Origin": "https://localhost:4200", "Allow-Credentials": "true", "Allow-Methods": "GET, PUT", "Max-Age": "3000", "Expose-Headers": "ETag, x-amz-request-id", "Allow-Headers": ""}},
		"headers": {[]string{"Origin", "https://localhost:4200", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "content-type,X-Amz-Meta-Ticket"},
			map[string]string{"Allow-Origin": "https://localhost:4200", "Allow-Headers": "content-type, x-amz-meta-ticket"}},
		"a name below": {[]string{"Origin", "http://test.origin.com", "Access-Control-Request-Method", "GET"}, map[string]string{"Allow-Origin": "http://test.origin.com", "Allow-Credentials": "true"}},
		"any":          {[]string{"Origin", "https://y", "Access-Control-Request-Method", "HEAD"}, map[string]string{"Allow-Origin": "*", "Allow-Credentials": "", "Allow-Methods": "HEAD", "Max-Age": ""}},
		"another port": {[]string{"Origin", "https://localhost:4201", "Access-Control-Request-Method", "PUT"}, nil},
		"more of it":   {[]string{"Origin", "https://localhost:42000", "Access-Control-Request-Method", "PUT"}, nil},
		"method":       {[]string{"Origin", "https://localhost:4200", "Access-Control-Request-Method", "DELETE"}, nil},
		"header":       {[]string{"Origin", "https://localhost:4200", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "content-type, authorization"}, nil},
		"no headers":   {[]string{"Origin", "https://y", "Access-Control-Request-Method", "HEAD", "Access-Control-Request-Headers", "range"}, nil},
	} {
		w := preflight("/b/k", test.headers...)
		if test.want == nil {
			says(what, w, 403, forbidden, "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin", "<ResourceType>OBJECT</ResourceType>")
			continue
		}
		if w.Code != 200 || w.Body.Len() > 0 || w.Header().Get("Vary") != vary {
			t.Errorf("%s: %d %v %s", what, w.Code, w.Header(), w.Body)
		}
		for name, value := range test.want {
			if got := w.Header().Get("Access-Control-" + name); got != value {
				t.Errorf("%s: %s %q, want %q", what, name, got, value)
			}
		}
	}
	says("the bucket", preflight("/b", "Origin", "https://x", "Access-Control-Request-Method", "GET"), 403, forbidden, "<ResourceType>BUCKET</ResourceType>")
	says("no method", preflight("/b/k", "Origin", "https://localhost:4200"), 400, "<Code>BadRequest</Code>", "Invalid Access-Control-Request-Method: null")

	// Answers, errors among them, can be read by a page of the origin, and by no other.
	presigned, err := a.presign.PresignGetObject(t.Context(), &sdk.GetObjectInput{Bucket: name, Key: aws.String("none")})
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]string{"https://localhost:4200": "https://localhost:4200", "https://other": ""} {
		res, body := get(t, "GET", presigned.URL, "Origin", origin)
		if res.StatusCode != 404 || !strings.Contains(body, "NoSuchKey") || res.Header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("%s: %d %v", origin, res.StatusCode, res.Header)
		}
	}
}

func TestCORSThatS3Refuses(t *testing.T) {
	s := newStore(t)
	s.Bucket("b")
	rule := func(text string) string {
		return "<CORSConfiguration><CORSRule>" + text + "</CORSRule></CORSConfiguration>"
	}
	for _, test := range []struct{ name, document, code string }{
		{"method", rule("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>MYMETHOD</AllowedMethod>"), "Found unsupported HTTP method in CORS config. Unsupported method is MYMETHOD"},
		{"no rules", "<CORSConfiguration/>", "MalformedXML"},
		{"no origin", rule("<AllowedMethod>PUT</AllowedMethod>"), "MalformedXML"},
		{"no method", rule("<AllowedOrigin>*</AllowedOrigin>"), "MalformedXML"},
		{"two wildcards", rule("<AllowedOrigin>https://*.*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>"), "can not have more than one wildcard."},
		{"wildcard exposed", rule("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><ExposeHeader>x-*</ExposeHeader>"), "We currently do not support wildcard for ExposeHeader."},
		{"no XML", "{}", "MalformedXML"},
	} {
		if w := recorded(s.API(), "PUT", "/b?cors", test.document); w.Code != 400 || !strings.Contains(w.Body.String(), test.code) {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
	}
	if w := recorded(s.API(), "PUT", "/b?cors", rule("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>"), "Content-Md5", "AAAAAAAAAAAAAAAAAAAAAA=="); w.Code != 400 || !strings.Contains(w.Body.String(), "BadDigest") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
