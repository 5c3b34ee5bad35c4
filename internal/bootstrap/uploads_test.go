package bootstrap_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
)

// takesUploads says who sends a request, and what body it got.
func takesUploads(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/user", func(w http.ResponseWriter, r *http.Request) {
		switch user, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); user {
		case "":
			w.WriteHeader(http.StatusUnauthorized)
		case "broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "banned":
			http.Redirect(w, r, "/login", http.StatusFound)
		case "nameless":
			io.WriteString(w, `{}`)
		default:
			json.NewEncoder(w).Encode(map[string]any{"user": map[string]string{"id": strings.TrimRight(user, "0123456789")}}) // a renewed token is the same user's
		}
	})
	mux.HandleFunc("POST /api/files", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%x %d %d %s %q %v", sum.Sum(nil), n, r.ContentLength, r.Header.Get("Content-Type"), r.Header.Values("Sluice-Upload"), err)
	})
	mux.HandleFunc("GET /api/done", func(w http.ResponseWriter, r *http.Request) { // where the app sends a browser after a form
		fmt.Fprintf(w, "done %q", r.Header.Values("Sluice-Upload"))
	})
	mux.HandleFunc("POST /api/small", func(w http.ResponseWriter, r *http.Request) { // as multer with a limit
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		io.WriteString(w, "too large for me")
	})
	mux.HandleFunc("POST /api/scanned", func(w http.ResponseWriter, r *http.Request) { // with rights, and a scanner of viruses
		if r.Header.Get("Authorization") == "Bearer guest" {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "guests send no files")
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || bytes.Contains(body, []byte(eicar)) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, "a virus ", err)
		}
	})
	mux.HandleFunc("POST /api/head", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		head, _ := httputil.DumpRequest(r, false)
		_, _ = w.Write(head)
		_ = filepath.WalkDir(os.TempDir(), func(path string, _ fs.DirEntry, err error) error {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				fmt.Fprintf(w, "%d bytes in %s\n", info.Size(), path)
			}
			return nil
		})
	})
	mux.HandleFunc("POST /api/die", func(http.ResponseWriter, *http.Request) { os.Exit(1) })
}

// eicar is a file that scanners take for a virus: https://www.eicar.org
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// bucket is an S3 whose requests can be broken.
type bucket struct {
	*s3.Store
	url    string                                            // where requests are signed
	bare   string                                            // where they need not be
	breaks func(w http.ResponseWriter, r *http.Request) bool // answers in S3's place
	calls  atomic.Int32
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	store, err := s3.New(s3.Config{Dir: t.TempDir(), Region: "eu-north-1"})
	if err != nil {
		t.Fatal(err)
	}
	b := &bucket{Store: store}
	b.Bucket("bodies")
	api := b.API(sigv4.Key{ID: "AKIDEXAMPLE", Secret: "secret", Token: "token"})
	bare := httptest.NewServer(b.API())
	t.Cleanup(bare.Close)
	b.bare = bare.URL
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.calls.Add(1)
		if b.breaks == nil || !b.breaks(w, r) {
			api.ServeHTTP(w, r)
		}
	}))
	b.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// keys are those of the objects that S3 has, with claims or without.
func (b *bucket) keys(t *testing.T) (bodies, claims int) {
	t.Helper()
	resp, err := http.Get(b.bare + "/bodies?list-type=2")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	claims = strings.Count(string(data), ".claim</Key>")
	return strings.Count(string(data), "<Key>") - claims, claims
}

// uploader is a client of the protocol.
type uploader struct {
	*world
	*bucket
	user string
}

func startUploads(t *testing.T, env ...string) *uploader {
	t.Helper()
	b := newBucket(t)
	env = append([]string{"SLUICE_UPLOADS_S3=s3://bodies/staging/", "SLUICE_UPLOAD_AUTHORIZE=/api/user", "SLUICE_UPLOAD_USER=/user/id", "JWT_SECRET=0123456789abcdef0123456789abcdef",
		"SLUICE_UPLOAD_SECRET=JWT_SECRET", "AWS_REGION=eu-north-1", "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
		"SLUICE_ENDPOINT_URL_S3=" + b.url}, env...)
	return &uploader{start(t, goApp("bin"), env...), b, "ann"}
}

func (u *uploader) header(more map[string]string) map[string]string {
	h := map[string]string{"Cookie": "a=b"}
	if u.user != "" {
		h["Authorization"] = "Bearer " + u.user
	}
	for name, value := range more {
		h[name] = value
	}
	return h
}

type offer struct {
	Message, Ticket, Expires string
	Parts                    []struct {
		URL     string
		Size    int64
		Headers map[string]string
	}
}

// ask asks for a ticket.
func (u *uploader) ask(t *testing.T, path, kind string, size int64) (status int, o offer) {
	t.Helper()
	wish, err := json.Marshal(map[string]any{"method": "POST", "url": path, "size": size, "type": kind})
	if err != nil {
		t.Fatal(err)
	}
	got := u.do(request{method: "POST", path: "/_sluice/uploads", body: string(wish), header: u.header(nil)}.event())
	if err := json.Unmarshal([]byte(got.body), &o); err != nil {
		t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	return got.status, o
}

// put brings a body into S3.
func (o offer) put(t *testing.T, body []byte) {
	t.Helper()
	for _, part := range o.Parts {
		req, err := http.NewRequest(http.MethodPut, part.URL, bytes.NewReader(body[:part.Size]))
		if err != nil {
			t.Fatal(err)
		}
		body = body[part.Size:]
		for name, value := range part.Headers {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("PUT answered %s: %s", resp.Status, text)
		}
	}
}

// send sends the request itself.
func (u *uploader) send(path, ticket string) *answer {
	return u.do(request{method: "POST", path: path, header: u.header(map[string]string{"Sluice-Upload": ticket, "Content-Type": "text/plain"})}.event())
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(b)
	return b
}

func TestUpload(t *testing.T) {
	u := startUploads(t)
	var resident []int // MB of the bootstrap, the most so far
	for _, size := range []int{1, 5 << 20, 30 << 20, 130 << 20} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			body := randomBytes(size)
			const kind = "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW"
			status, o := u.ask(t, "/api/files?a=1&b=x%20y", kind, int64(size))
			if status != http.StatusOK {
				t.Fatalf("%d %s", status, o.Message)
			}
			o.put(t, body)
			begun := time.Now()
			got := u.send("/api/files?b=x y&a=1", o.Ticket)
			want := fmt.Sprintf(`%x %d %d %s [] <nil>`, sha256.Sum256(body), size, size, kind)
			if got.status != 200 || got.body != want {
				t.Errorf("%d %.300s\nwant %s", got.status, got.body, want)
			}
			t.Logf("%d parts, the app had it after %v", len(o.Parts), time.Since(begun))
			if again := u.send("/api/files?a=1&b=x y", o.Ticket); again.status != http.StatusConflict {
				t.Errorf("a ticket that was used before: %d %s", again.status, again.body)
			}
			resident = append(resident, residentMB(t, u.cmd.Process.Pid))
		})
	}
	if bodies, claims := u.keys(t); bodies != 0 || claims != 4 {
		t.Errorf("%d bodies and %d claims are left, want 0 and 4", bodies, claims)
	}
	t.Logf("memory of the bootstrap: %d MB", resident)
	if small, large := resident[0], resident[len(resident)-1]; large-small > 64 { // a buffer of the body would be 130
		t.Errorf("the bootstrap took %d MB after the smallest body, and %d MB after one of 130 MiB", small, large)
	}
}

func residentMB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kB, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kB >> 10
}

func TestUploadRefusals(t *testing.T) {
	u := startUploads(t, "SLUICE_UPLOAD_LIMIT=10MB")
	for _, test := range []struct {
		user, path string
		size       int64
		status     int
		says       string
	}{
		{"", "/api/files", 1, 401, "Sign in"},
		{"banned", "/api/files", 1, 403, "may not"},
		{"broken", "/api/files", 1, 502, "cannot say"},
		{"nameless", "/api/files", 1, 502, "does not say"},
		{"ann", "/api/files", 10_000_001, 413, "SLUICE_UPLOAD_LIMIT"},
		{"ann", "/api/files", 0, 400, "size"},
		{"ann", "/api/files", -1, 400, "size"},
		{"ann", "https://evil.example/api/files", 1, 400, "path of this site"},
		{"ann", "//evil.example/x", 1, 400, "path of this site"},
		{"ann", `/\evil.example`, 1, 400, "path of this site"},
		{"ann", "/_sluice/uploads", 1, 400, "own"},
		{"ann", "/" + strings.Repeat("a", 3000), 1, 414, "longer"},
	} {
		u.user = test.user
		if status, o := u.ask(t, test.path, "text/plain", test.size); status != test.status || !strings.Contains(o.Message, test.says) || o.Ticket != "" {
			t.Errorf("%q %.40s %d: %d %s, want %d %q", test.user, test.path, test.size, status, o.Message, test.status, test.says)
		}
	}
	if n := u.calls.Load(); n != 0 {
		t.Errorf("S3 was asked %d times for tickets that were refused", n)
	}
	u.user = "ann"
	body := randomBytes(1000)
	_, o := u.ask(t, "/api/files", "text/plain", 1000)
	o.put(t, body)
	u.strangers(t)
	asked := u.calls.Load()
	seal, sum, _ := strings.Cut(o.Ticket, ".")
	data, err := base64.RawURLEncoding.DecodeString(seal)
	if err != nil {
		t.Fatal(err)
	}
	altered := base64.RawURLEncoding.EncodeToString(bytes.Replace(data, []byte("staging/"), []byte("private/"), 1)) + "." + sum
	for name, test := range map[string]struct {
		user, path, ticket string
		status             int
	}{
		"altered":       {"ann", "/api/files", altered, 400},
		"no ticket":     {"ann", "/api/files", "x", 400},
		"another user":  {"bob", "/api/files", o.Ticket, 403},
		"another path":  {"ann", "/api/other", o.Ticket, 403},
		"another query": {"ann", "/api/files?a=1", o.Ticket, 403},
		"nobody":        {"", "/api/files", o.Ticket, 401},
	} {
		u.user = test.user
		if got := u.send(test.path, test.ticket); got.status != test.status {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.body, test.status)
		}
	}
	if n := u.calls.Load(); n != asked {
		t.Errorf("S3 was asked %d times for requests that were refused", n-asked)
	}
	u.user = "ann7" // her token was renewed
	if got := u.send("/api/files", o.Ticket); got.status != 200 {
		t.Errorf("the same user with another token: %d %s", got.status, got.body)
	}
	redirected := request{method: "GET", path: "/api/done", header: u.header(map[string]string{"Sluice-Upload": o.Ticket})}
	if got := u.do(redirected.event()); got.status != 200 || got.body != "done []" {
		t.Errorf("a GET that a browser makes of it after 303: %d %s", got.status, got.body)
	}
}

// TestUploadSeenByTheApp: each byte passes by the app, with its rights and its scanner, and nothing tells it of the ticket.
func TestUploadSeenByTheApp(t *testing.T) {
	tmp := t.TempDir()
	u := startUploads(t, "TMPDIR="+tmp)
	upload := func(path string, body []byte) (offer, *answer) {
		t.Helper()
		status, o := u.ask(t, path, "text/plain", int64(len(body)))
		if status != 200 {
			t.Fatalf("%d %s", status, o.Message)
		}
		o.put(t, body)
		return o, u.send(path, o.Ticket)
	}
	clean := randomBytes(7 << 20)
	for name, c := range map[string]struct {
		user   string
		body   []byte
		status int
		says   string
	}{
		"clean":                {"ann", clean, 200, ""},
		"a virus at the end":   {"ann", append(bytes.Clone(clean), eicar...), 422, "a virus"},
		"a virus at the begin": {"ann", append([]byte(eicar), clean...), 422, "a virus"},
		"of who has no right":  {"guest", clean, 403, "guests send no files"},
	} {
		u.user = c.user
		if _, got := upload("/api/scanned", c.body); got.status != c.status || !strings.Contains(got.body, c.says) {
			t.Errorf("%s: %d %s, want %d %s", name, got.status, got.body, c.status, c.says)
		}
	}

	u.user = "ann"
	o, got := upload("/api/head", randomBytes(30<<20))
	seal, sum, _ := strings.Cut(o.Ticket, ".")
	for _, secret := range []string{"sluice-upload", strings.ToLower(seal[:40]), "staging/"} {
		if strings.Contains(strings.ToLower(got.body), secret) {
			t.Errorf("the app gets %q:\n%s", secret, got.body)
		}
	}
	for _, line := range strings.Split(got.body, "\n") {
		if n, where, ok := strings.Cut(line, " bytes in "); ok && len(n) > 6 {
			t.Errorf("%s bytes lie in %s", n, where)
		}
	}
	const secret = "0123456789abcdef0123456789abcdef"
	data, err := base64.RawURLEncoding.DecodeString(seal)
	if err != nil || bytes.Contains(data, []byte(secret[:8])) {
		t.Errorf("the ticket says %s, %v", data, err)
	}
	plain := hmac.New(sha256.New, []byte(secret))
	plain.Write([]byte(seal))
	if sum == base64.RawURLEncoding.EncodeToString(plain.Sum(nil)) {
		t.Error("the secret itself is the key of tickets: whoever has one can try secrets of the app's other tokens with it")
	}
}

// strangers finds that nobody can do anything with the bucket but put the body of an offer.
func (u *uploader) strangers(t *testing.T) {
	t.Helper()
	_, o := u.ask(t, "/api/files", "text/plain", 1000)
	signed := o.Parts[0].URL
	plain, _, _ := strings.Cut(signed, "?")
	for name, test := range map[string]struct {
		method, url string
		size        int
	}{
		"another size":           {"PUT", signed, 999},
		"no signature":           {"PUT", plain, 1000},
		"another key":            {"PUT", strings.Replace(signed, "/staging/", "/private/", 1), 1000},
		"read by a right to put": {"GET", signed, 0},
		"read":                   {"GET", plain, 0},
		"list":                   {"GET", u.url + "/bodies?list-type=2", 0},
		"delete":                 {"DELETE", signed, 0},
	} {
		req, err := http.NewRequest(test.method, test.url, bytes.NewReader(make([]byte, test.size)))
		if err != nil {
			t.Fatal(err)
		}
		for header, value := range o.Parts[0].Headers {
			req.Header.Set(header, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
}

// A request comes to its end, whatever S3 does.
func TestUploadWhereS3Fails(t *testing.T) {
	u := startUploads(t)
	body := randomBytes(3 << 20)
	fresh := func(path string) offer {
		status, o := u.ask(t, path, "text/plain", int64(len(body)))
		if status != 200 {
			t.Fatalf("%d %s", status, o.Message)
		}
		return o
	}
	object := func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/staging/")
	}

	t.Run("no body", func(t *testing.T) {
		if got := u.send("/api/files", fresh("/api/files").Ticket); got.status != 400 || !strings.Contains(got.body, "not complete") {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("another size", func(t *testing.T) {
		o := fresh("/api/files")
		key, _, _ := strings.Cut(o.Parts[0].URL[strings.Index(o.Parts[0].URL, "/bodies/")+len("/bodies/"):], "?")
		if err := u.Put("bodies", key, strings.NewReader("short"), nil); err != nil {
			t.Fatal(err)
		}
		if got := u.send("/api/files", o.Ticket); got.status != 400 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("connection lost twice", func(t *testing.T) {
		o := fresh("/api/files")
		o.put(t, body)
		var broken atomic.Int32
		u.breaks = func(w http.ResponseWriter, r *http.Request) bool {
			if !object(r) || broken.Add(1) > 2 {
				return false
			}
			from, status := 0, http.StatusOK
			if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
				status = http.StatusPartialContent
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(body)-from))
			w.WriteHeader(status)
			_, _ = w.Write(body[from : from+1<<20])
			panic(http.ErrAbortHandler)
		}
		got := u.send("/api/files", o.Ticket)
		if want := fmt.Sprintf("%x %d", sha256.Sum256(body), len(body)); got.status != 200 || !strings.HasPrefix(got.body, want) {
			t.Errorf("%d %s, want %s", got.status, got.body, want)
		}
	})
	t.Run("connection lost for good", func(t *testing.T) {
		o := fresh("/api/files")
		o.put(t, body)
		u.breaks = func(w http.ResponseWriter, r *http.Request) bool {
			if !object(r) {
				return false
			}
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body[:1<<20])
			panic(http.ErrAbortHandler)
		}
		if got := u.send("/api/files", o.Ticket); got.status != 502 || !strings.Contains(got.body, "S3") {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("the answer to the claim is lost", func(t *testing.T) {
		o := fresh("/api/files")
		o.put(t, body)
		var lost atomic.Int32
		u.breaks = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, ".claim") || r.Method != http.MethodPut || lost.Add(1) > 1 {
				return false
			}
			u.API().ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		if got := u.send("/api/files", o.Ticket); got.status != 200 || lost.Load() != 2 {
			t.Errorf("%d %s, after %d claims", got.status, got.body, lost.Load())
		}
		if again := u.send("/api/files", o.Ticket); again.status != http.StatusConflict {
			t.Errorf("used twice: %d %s", again.status, again.body)
		}
	})
	t.Run("the answer to the end of its parts is lost", func(t *testing.T) {
		large := randomBytes(101 << 20)
		_, o := u.ask(t, "/api/files", "text/plain", int64(len(large)))
		o.put(t, large)
		var lost atomic.Int32
		u.breaks = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || lost.Add(1) > 1 {
				return false
			}
			u.API().ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		got := u.send("/api/files", o.Ticket)
		if want := fmt.Sprintf("%x %d", sha256.Sum256(large), len(large)); got.status != 200 || !strings.HasPrefix(got.body, want) || lost.Load() == 0 {
			t.Errorf("%d %s, want %s", got.status, got.body, want)
		}
	})
	t.Run("403 and 503", func(t *testing.T) {
		for _, status := range []int{403, 503} {
			o := fresh("/api/files")
			o.put(t, body)
			u.breaks = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(status); return true }
			if got := u.send("/api/files", o.Ticket); got.status != 502 {
				t.Errorf("S3 answered %d: %d %s", status, got.status, got.body)
			}
			u.breaks = nil
		}
	})
	t.Run("an app that does not want it", func(t *testing.T) {
		o := fresh("/api/small")
		o.put(t, body)
		if got := u.send("/api/small", o.Ticket); got.status != 413 || got.body != "too large for me" {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("an app that dies", func(t *testing.T) {
		o := fresh("/api/die")
		o.put(t, body)
		if got := u.send("/api/die", o.Ticket); got.status != 502 {
			t.Errorf("%d %s", got.status, got.body)
		}
		if again := u.send("/api/die", o.Ticket); again.status != http.StatusConflict {
			t.Errorf("sent to the app twice: %d %s", again.status, again.body)
		}
	})
	if bodies, _ := u.keys(t); bodies != 2 { // those of "403 and 503", where the claim was refused and nothing more was asked of S3
		t.Errorf("%d bodies are left, want 2", bodies)
	}
}
