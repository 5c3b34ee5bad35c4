package ssm_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/ssm"
)

// TestRequestIsBounded: a request without end is read up to a bound.
func TestRequestIsBounded(t *testing.T) {
	store, err := ssm.New(ssm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(`{"Name":"`), counting{&read}))
	r.Header.Set("X-Amz-Target", "AmazonSSM.GetParameter")
	w := httptest.NewRecorder()
	store.ServeHTTP(w, r)
	if w.Code != 400 || read > 1<<21 {
		t.Errorf("%d after %d bytes", w.Code, read)
	}
}

type counting struct{ n *int }

func (c counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	*c.n += len(p)
	return len(p), nil
}
