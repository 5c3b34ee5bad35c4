package s3

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// endless is a body of n bytes that takes no memory.
type endless struct{ n, read int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.read == e.n {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.n-e.read)
	e.read += n
	return int(n), nil
}

// TestReadsAreBounded: an object goes to the disk and not into memory, one over 5 GB is refused before it is read, and so is a document without end.
func TestReadsAreBounded(t *testing.T) {
	store, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	store.Bucket("b")
	api := store.API()
	send := func(method, target string, length int64, chunked bool) (*httptest.ResponseRecorder, *endless) {
		body := &endless{n: length}
		r := httptest.NewRequest(method, target, body)
		if r.ContentLength = length; chunked {
			r.ContentLength = -1
		} else {
			r.Header.Set("Content-Length", fmt.Sprint(length))
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w, body
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if w, _ := send("PUT", "/b/large", 512<<20, false); w.Code != http.StatusOK {
		t.Errorf("512 MiB: %d %s", w.Code, w.Body)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 16<<20 {
		t.Errorf("an object of 512 MiB took %d MiB of memory", grown>>20)
	}
	if w, body := send("PUT", "/b/huge", 5<<30+1, false); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "EntityTooLarge") || body.read > 0 {
		t.Errorf("over 5 GB: %d %s, of which %d bytes were read", w.Code, w.Body, body.read)
	}
	for _, target := range []string{"/b?delete", "/b/key?uploadId=x", "/b/key?uploads"} {
		if w, body := send("POST", target, 1<<40, true); body.read > 5<<20 {
			t.Errorf("POST %s: %d, after %d bytes", target, w.Code, body.read)
		}
	}
	if w, body := send("PUT", "/b", 1<<40, true); body.read > 5<<20 {
		t.Errorf("PUT of a bucket: %d, after %d bytes", w.Code, body.read)
	}
}
