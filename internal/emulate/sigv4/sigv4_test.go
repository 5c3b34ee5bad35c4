package sigv4

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAWSTestSuite holds the canonical form and the signature against AWS's own vectors.
func TestAWSTestSuite(t *testing.T) {
	data, err := os.ReadFile("../../../testdata/vectors/sigv4.json")
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Vectors []struct {
			Name, Request, Canonical, Authorization string
			ToSign                                  string `json:"to_sign"`
		}
	}
	if err := json.Unmarshal(data, &suite); err != nil {
		t.Fatal(err)
	}
	// No service here has paths that need it: S3 keeps them as they are, the others' have no dots.
	normalized := []string{"get-relative", "get-relative-relative", "get-slash", "get-slash-dot-slash", "get-slash-pointless-dot", "get-slashes"}
	tested := 0
	for _, v := range suite.Vectors {
		head, body, _ := strings.Cut(v.Request, "\n\n")
		// net/http reads no request line with a space or other bytes in its target, and so no service gets one.
		line, rest, _ := strings.Cut(head, "\n")
		target := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(line, "GET "), "POST "), " HTTP/1.1")
		if slices.Contains(normalized, v.Name) || strings.ContainsAny(target, " ") || strings.IndexFunc(target, func(r rune) bool { return r > 126 }) >= 0 {
			continue
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line + "\n" + rest + "\n\n")))
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		s, refused := read(r)
		if refused != nil {
			t.Errorf("%s: %v", v.Name, refused)
			continue
		}
		tested++
		canonical := s.canonical(r, r.Host, digest([]byte(body)))
		if canonical != v.Canonical {
			t.Errorf("%s: canonical request\n%s\nwant\n%s", v.Name, canonical, v.Canonical)
		}
		if text := s.toSign(canonical); text != v.ToSign {
			t.Errorf("%s: to sign\n%s\nwant\n%s", v.Name, text, v.ToSign)
		}
		if got := s.of(canonical, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"); !strings.HasSuffix(v.Authorization, "Signature="+got) {
			t.Errorf("%s: signature %s, want %s", v.Name, got, v.Authorization)
		}
	}
	if tested < 20 {
		t.Errorf("%d vectors tested", tested)
	}
}

// docs is the account and the moment of the examples in the S3 API reference.
var docs = S3{Region: "us-east-1", Keys: []Key{{ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}}}

func at(t *testing.T, moment string) time.Time {
	t.Helper()
	when, err := time.Parse(dateForm, moment)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

const (
	empty    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	examples = "/20130524/us-east-1/s3/aws4_request"
	presign  = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z" +
		"&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)

// example is a request for the examples' bucket.
func example(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "examplebucket.s3.amazonaws.com"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// TestExamplesOfS3 are those of the API reference: "Signature Calculations for the Authorization Header" (single chunk and several),
// "… for Chunked Uploads with Trailing Headers" and "Authenticating Requests: Using Query Parameters".
func TestExamplesOfS3(t *testing.T) {
	authorization := func(headers, signature string) string {
		return "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE" + examples + ",SignedHeaders=" + headers + ",Signature=" + signature
	}
	now := at(t, "20130524T000100Z")
	for name, r := range map[string]*http.Request{
		"GET": example("GET", "/test.txt", "Range", "bytes=0-9", "X-Amz-Content-Sha256", empty, "X-Amz-Date", "20130524T000000Z",
			"Authorization", authorization("host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")),
		"PUT": example("PUT", "/test$file.text", "Date", "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Date", "20130524T000000Z", "X-Amz-Storage-Class", "REDUCED_REDUNDANCY",
			"X-Amz-Content-Sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			"Authorization", authorization("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")),
		"lifecycle": example("GET", "/?lifecycle", "X-Amz-Content-Sha256", empty, "X-Amz-Date", "20130524T000000Z",
			"Authorization", authorization("host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")),
		"list": example("GET", "/?max-keys=2&prefix=J", "X-Amz-Content-Sha256", empty, "X-Amz-Date", "20130524T000000Z",
			"Authorization", authorization("host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")),
		"presigned": example("GET", presign),
	} {
		if _, refused := docs.Verify(r, now); refused != nil {
			t.Errorf("%s: %v\n%v", name, refused, refused.Fields)
		}
		r.Method = "DELETE"
		if _, refused := docs.Verify(r, now); refused == nil || refused.Code != "SignatureDoesNotMatch" {
			t.Errorf("%s with another method: %v", name, refused)
		}
	}

	chunked := func(kind, length string, more ...string) *http.Request {
		return example("PUT", "/examplebucket/chunkObject.txt", append([]string{"X-Amz-Date", "20130524T000000Z", "X-Amz-Storage-Class", "REDUCED_REDUNDANCY",
			"X-Amz-Content-Sha256", kind, "Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "66560", "Content-Length", length}, more...)...)
	}
	plain := chunked(StreamingSigned, "66824", "Authorization", authorization("content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
		"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"))
	plain.Host = "s3.amazonaws.com"
	signed, refused := docs.Verify(plain, now)
	if refused != nil {
		t.Fatal(refused, refused.Fields)
	}
	first, second := strings.Repeat("a", 65536), strings.Repeat("a", 1024)
	chain := signed.Chain()
	for i, chunk := range []struct{ body, signature string }{
		{first, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"},
		{second, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"},
		{"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"},
	} {
		if !chain.Chunk(digest([]byte(chunk.body)), chunk.signature) {
			t.Errorf("chunk %d is refused", i)
		}
	}

	trailing := chunked(StreamingSignedTrailer, "66946", "X-Amz-Trailer", "x-amz-checksum-crc32c",
		"Authorization", authorization("content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer", "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"))
	trailing.Host = "s3.amazonaws.com"
	if signed, refused = docs.Verify(trailing, now); refused != nil {
		t.Fatal(refused, refused.Fields)
	}
	chain = signed.Chain()
	for i, chunk := range []struct{ body, signature string }{
		{first, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"},
		{second, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"},
		{"", "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"},
	} {
		if !chain.Chunk(digest([]byte(chunk.body)), chunk.signature) {
			t.Errorf("chunk %d before trailers is refused", i)
		}
	}
	if !chain.Trailer("x-amz-checksum-crc32c:sOO8/Q==\n", "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435") {
		t.Error("the trailer is refused")
	}
	if chain = signed.Chain(); chain.Chunk(digest([]byte(second)), "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2") {
		t.Error("another chunk has the first one's signature")
	}
}

// TestRefusalsOfS3: each fault by S3's own code and words, as AWS has published them or others have recorded them
// (localstack/localstack, tests/aws/services/s3/test_s3.snapshot.json).
func TestRefusalsOfS3(t *testing.T) {
	altered := func(name, value string) string {
		u, err := url.Parse(presign)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if q.Set(name, value); value == "-" {
			q.Del(name)
		}
		u.RawQuery = q.Encode()
		return u.String()
	}
	temporary := S3{Region: "us-east-1", Keys: []Key{{ID: docs.Keys[0].ID, Secret: docs.Keys[0].Secret, Token: "token"}}}
	credential := func(rest string) string { return "AKIAIOSFODNN7EXAMPLE" + rest }
	header := func(authorization string) *http.Request {
		return example("GET", "/test.txt", "X-Amz-Date", "20130524T000000Z", "X-Amz-Content-Sha256", empty, "Authorization", authorization)
	}
	const good, early, late = "20130524T000100Z", "20130523T233000Z", "20130525T000100Z"
	for _, test := range []struct {
		name    string
		account S3
		r       *http.Request
		now     string
		status  int
		code    string
		says    string
	}{
		{"nothing", docs, example("GET", "/test.txt"), good, 403, "AccessDenied", "Access Denied"},
		{"expired", docs, example("GET", presign), late, 403, "AccessDenied", "Request has expired [X-Amz-Expires 86400 Expires 2013-05-25T00:00:00Z ServerTime 2013-05-25T00:01:00Z]"},
		{"not yet", docs, example("GET", presign), early, 403, "AccessDenied", "Request is not valid yet"},
		{"no parameter", docs, example("GET", altered("X-Amz-Expires", "-")), good, 400, "AuthorizationQueryParametersError", "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."},
		{"no signature", docs, example("GET", altered("X-Amz-Signature", "-")), good, 400, "AuthorizationQueryParametersError", "Query-string authentication"},
		{"algorithm", docs, example("GET", altered("X-Amz-Algorithm", "AWS4-HMAC-SHA1")), good, 400, "AuthorizationQueryParametersError", "X-Amz-Algorithm only supports"},
		{"date", docs, example("GET", altered("X-Amz-Date", "2013-05-24")), good, 400, "AuthorizationQueryParametersError", `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`},
		{"no number", docs, example("GET", altered("X-Amz-Expires", "soon")), good, 400, "AuthorizationQueryParametersError", "X-Amz-Expires should be a number"},
		{"negative", docs, example("GET", altered("X-Amz-Expires", "-5")), good, 400, "AuthorizationQueryParametersError", "X-Amz-Expires must be non-negative"},
		{"more than a week", docs, example("GET", altered("X-Amz-Expires", "604801")), good, 400, "AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week"},
		{"prolonged", docs, example("GET", altered("X-Amz-Expires", "86401")), good, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match"},
		{"encoded twice", docs, example("GET", altered("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request")), good, 400, "AuthorizationQueryParametersError", `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`},
		{"another day", docs, example("GET", altered("X-Amz-Credential", credential("/20130523/us-east-1/s3/aws4_request"))), good, 400, "AuthorizationQueryParametersError", `Invalid credential date "20130523". This date is not the same as X-Amz-Date: "20130524".`},
		{"no day", docs, example("GET", altered("X-Amz-Credential", credential("/2013/us-east-1/s3/aws4_request"))), good, 400, "AuthorizationQueryParametersError", `incorrect date format "2013"`},
		{"another region", docs, example("GET", altered("X-Amz-Credential", credential("/20130524/eu-west-1/s3/aws4_request"))), good, 400, "AuthorizationQueryParametersError", "the region 'eu-west-1' is wrong; expecting 'us-east-1' [Region us-east-1]"},
		{"another service", docs, example("GET", altered("X-Amz-Credential", credential("/20130524/us-east-1/ssm/aws4_request"))), good, 400, "AuthorizationQueryParametersError", `incorrect service "ssm"`},
		{"another end", docs, example("GET", altered("X-Amz-Credential", credential("/20130524/us-east-1/s3/aws5_request"))), good, 400, "AuthorizationQueryParametersError", `incorrect terminal "aws5_request"`},
		{"another key", docs, example("GET", altered("X-Amz-Credential", "AKIAOTHER"+examples)), good, 403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records. [AWSAccessKeyId AKIAOTHER]"},
		{"no token", temporary, example("GET", presign), good, 403, "InvalidAccessKeyId", "does not exist"},
		{"another token", temporary, example("GET", presign+"&X-Amz-Security-Token=x"), good, 400, "InvalidToken", "The provided token is malformed or otherwise invalid. [Token-0 x]"},
		{"a token too much", docs, example("GET", presign+"&X-Amz-Security-Token=x"), good, 400, "InvalidToken", "The provided token"},
		{"the host is not signed", docs, example("GET", altered("X-Amz-SignedHeaders", "range")), good, 403, "AccessDenied", "There were headers present in the request which were not signed [HeadersNotSigned host]"},
		{"headers that are not signed", docs, example("GET", presign, "X-Amz-Date", "x", "X-Amz-Decoded-Content-Length", "5", "X-Amz-Content-Sha256", "x"), good, 403, "AccessDenied", "[HeadersNotSigned x-amz-date, x-amz-decoded-content-length]"},
		{"a signed header that is missing", docs, example("GET", altered("X-Amz-SignedHeaders", "content-type;host")), good, 403, "SignatureDoesNotMatch", "The request signature"},
		{"two signatures", docs, example("GET", presign, "Authorization", "AWS4-HMAC-SHA256 x"), good, 400, "InvalidArgument", "Only one auth mechanism allowed"},
		{"version 2", docs, header("AWS AKIA:x"), good, 400, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."},
		{"version 2 in the URL", docs, example("GET", "/test.txt?AWSAccessKeyId=x&Signature=y&Expires=1"), good, 400, "InvalidRequest", "The authorization mechanism"},
		{"basic", docs, header("Basic eDp5"), good, 400, "InvalidArgument", "Unsupported Authorization Type"},
		{"components", docs, header("AWS4-HMAC-SHA256 Credential=x"), good, 400, "AuthorizationHeaderMalformed", "the authorization header requires three components: Credential, SignedHeaders, and Signature."},
		{"credential", docs, header("AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0"), good, 400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the Credential is mal-formed"},
		{"region", docs, header("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0"), good, 400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-east-1'"},
		{"skew", docs, header("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE" + examples + ", SignedHeaders=host, Signature=0"), "20130524T001501Z", 403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."},
		{"no date", docs, example("GET", "/", "Authorization", "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0"), good, 403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"},
		{"no digest", docs, example("GET", "/", "X-Amz-Date", "20130524T000000Z", "Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE"+examples+", SignedHeaders=host;x-amz-date, Signature=0"), good, 400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"},
		{"no such digest", docs, example("GET", "/", "X-Amz-Date", "20130524T000000Z", "X-Amz-Content-Sha256", "x", "Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE"+examples+", SignedHeaders=host;x-amz-date, Signature=0"), good, 400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD"},
	} {
		_, refused := test.account.Verify(test.r, at(t, test.now))
		if refused == nil {
			t.Errorf("%s: served", test.name)
			continue
		}
		said := refused.Message + " [" + strings.Join(refused.Fields, " ") + "]"
		if refused.Status != test.status || refused.Code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%s: %d %s: %s", test.name, refused.Status, refused.Code, said)
		}
	}
}

// FuzzVerify: whatever a stranger sends is refused, by an error of S3.
func FuzzVerify(f *testing.F) {
	f.Add(presign, "", "")
	f.Add("/test.txt", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0", "20130524T000000Z")
	f.Add("/a?X-Amz-Algorithm=&X-Amz-Credential=////&X-Amz-Date=&X-Amz-SignedHeaders=&X-Amz-Expires=&X-Amz-Signature=", "", "")
	f.Add(presign+"&x-amz-meta-a=b&X-Amz-Checksum-Crc32=AAAAAA%3D%3D", "", "")
	f.Add("/a;b?%zz=1&X-Amz-Credential=%2F%2F", "Basic x", "20130524")
	secret := S3{Region: "us-east-1", Keys: []Key{{ID: "AKIAIOSFODNN7EXAMPLE", Secret: NewKey().Secret}}}
	f.Fuzz(func(t *testing.T, target, authorization, date string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		r := httptest.NewRequest("PUT", "/", io.LimitReader(nil, 0))
		if r.URL = u; authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if date != "" {
			r.Header.Set("X-Amz-Date", date)
		}
		if _, refused := secret.Verify(r, at(t, "20130524T000100Z")); refused == nil || refused.Status < 400 || refused.Status > 501 || refused.Code == "" {
			t.Errorf("%s with %q of %q: %v", target, authorization, date, refused)
		}
	})
}
