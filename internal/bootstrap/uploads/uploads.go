package uploads

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Path is where a ticket is asked for, and ScriptPath where the script is that a page loads to have its requests staged.
const (
	Path       = "/_sluice/uploads"
	ScriptPath = "/_sluice/uploads.js"
)

// Config of Uploads. All of it is used.
type Config struct {
	Store Store
	// Prefix begins the keys of bodies, such as "uploads/".
	Prefix string
	Key    Key
	// Limit is the largest body, in bytes; 0 is what room finds.
	Limit int64
	Log   *slog.Logger
}

// Uploads gives tickets and redeems them. It is safe for concurrent use.
type Uploads struct {
	cfg     Config
	now     func() time.Time
	room    func() (int64, error)
	silence time.Duration // of S3, in the middle of a body
}

// New makes Uploads.
func New(cfg Config) *Uploads {
	return &Uploads{cfg: cfg, now: time.Now, room: room, silence: 15 * time.Second}
}

// Refusal is an error that the client is told, with a status of HTTP.
type Refusal struct {
	Status  int
	Message string
	reason  error
}

func (r *Refusal) Error() string { return r.Message }
func (r *Refusal) Unwrap() error { return r.reason }

func refuse(status int, format string, arguments ...any) *Refusal {
	return &Refusal{Status: status, Message: fmt.Sprintf(format, arguments...)}
}

// Wish is what a client writes to Path.
type Wish struct {
	Method string `json:"method"`
	URL    string `json:"url"` // path and query
	Size   int64  `json:"size"`
	Type   string `json:"type"` // Content-Type
}

// maxWish bounds a Wish in JSON, and maxURI and maxType its members, in bytes: a ticket travels in a header.
const (
	maxWish = 8 << 10
	maxURI  = 2 << 10
	maxType = 256
)

// ReadWish reads and checks what a client wrote. Its error is a Refusal.
func ReadWish(body []byte) (Wish, error) {
	if len(body) > maxWish {
		return Wish{}, refuse(http.StatusRequestEntityTooLarge, "A ticket is asked for in at most %d bytes.", maxWish)
	}
	var w Wish
	if err := json.Unmarshal(body, &w); err != nil {
		return Wish{}, refuse(http.StatusBadRequest, `A ticket is asked for in JSON: {"method","url","size","type"}.`)
	}
	uri, err := Canonical(w.URL)
	switch {
	case err != nil:
		return Wish{}, refuse(http.StatusBadRequest, "The URL %.100q cannot take an upload: %v.", w.URL, err)
	case len(uri) > maxURI:
		return Wish{}, refuse(http.StatusRequestURITooLong, "The URL is longer than %d bytes.", maxURI)
	case !Takes(w.Method):
		return Wish{}, refuse(http.StatusBadRequest, "The method %.20q takes no upload; POST, PUT and PATCH do.", w.Method)
	case w.Size <= 0:
		return Wish{}, refuse(http.StatusBadRequest, "The size must be the number of the body's bytes.")
	case len(w.Type) > maxType || !printable(w.Type):
		return Wish{}, refuse(http.StatusBadRequest, "The type is no Content-Type.")
	case strings.HasPrefix(uri, Path):
		return Wish{}, refuse(http.StatusBadRequest, "The URL %.100q is the uploads' own.", w.URL)
	}
	w.URL = uri
	return w, nil
}

// Takes says whether a request of this method can have a ticket.
func Takes(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// printable says whether text can stand in a header field and in a signature of S3's.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// lifetime is how long a ticket and the rights to put its body are good, which is as long as Lambda's longest invocation.
const lifetime = 15 * time.Minute

// Offer is the answer to a Wish.
type Offer struct {
	Ticket  string `json:"ticket"`  // for Header
	Expires string `json:"expires"` // RFC 3339
	// Parts are to be put one by one or side by side, each with its size in bytes of the body, in this order.
	Parts []Part `json:"parts"`
}

// Part is one PUT of bytes of the body.
type Part struct {
	URL     string            `json:"url"`
	Size    int64             `json:"size"`
	Headers map[string]string `json:"headers,omitempty"`
}

// Offer gives a user a ticket for a Wish that Fits, and the presigned requests that bring the body into S3.
func (u *Uploads) Offer(ctx context.Context, w Wish, user string) (Offer, error) {
	expires := u.now().Add(lifetime)
	t := Ticket{Method: w.Method, URI: w.URL, Type: w.Type, Size: w.Size, Object: u.cfg.Prefix + rand.Text(), Expires: expires.Unix(), User: user}
	parts, upload, err := u.cfg.Store.presign(ctx, t.Object, w.Size)
	if err != nil {
		return Offer{}, fmt.Errorf("prepare an upload: %w", err)
	}
	t.Upload = upload
	text, err := u.cfg.Key.Seal(t)
	if err != nil {
		return Offer{}, err
	}
	return Offer{Ticket: text, Expires: expires.UTC().Format(time.RFC3339), Parts: parts}, nil
}

// Fits refuses a body that has no room where the app writes it. Its error is a Refusal, unless the room is not known.
func (u *Uploads) Fits(w Wish) error {
	size := w.Size
	if u.cfg.Limit > 0 {
		if size > u.cfg.Limit {
			return refuse(http.StatusRequestEntityTooLarge, "The file is too large: %s, and at most %s are taken (SLUICE_UPLOAD_LIMIT).", megabytes(size), megabytes(u.cfg.Limit))
		}
		return nil
	}
	room, err := u.room()
	if err != nil {
		return fmt.Errorf("find out how large a file may be: %w", err)
	}
	if size > room {
		return refuse(http.StatusRequestEntityTooLarge, "The file is too large: %s, and this function has room for %s (ephemeral_storage).", megabytes(size), megabytes(room))
	}
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// Redeem takes the ticket of a request, and returns the body that the app is to have. It can be called once for each ticket; the
// body must be closed, which removes it from S3. An error that is a Refusal is the client's.
func (u *Uploads) Redeem(ctx context.Context, text, method, uri, user string) (*Body, error) {
	t, err := u.check(text, method, uri, user)
	if err != nil {
		return nil, err
	}
	s := u.cfg.Store
	switch err := s.claim(ctx, t.Object); {
	case errors.Is(err, errClaimed):
		return nil, refuse(http.StatusConflict, "This upload was used before. Send the file again.")
	case err != nil:
		return nil, fmt.Errorf("claim an upload: %w", err)
	}
	body, err := s.open(ctx, t, u.silence)
	if err != nil {
		if errors.Is(err, errMissing) {
			return nil, &Refusal{Status: http.StatusBadRequest, Message: "The upload is not complete. Send the file again.", reason: err}
		}
		return nil, fmt.Errorf("read an upload: %w", err)
	}
	body.log = u.cfg.Log
	return body, nil
}

func (u *Uploads) check(text, method, uri, user string) (Ticket, error) {
	t, err := u.cfg.Key.open(text, u.now())
	switch {
	case errors.Is(err, errExpired):
		return Ticket{}, refuse(http.StatusGone, "The upload took longer than %v, and its ticket has expired. Send the file again.", lifetime)
	case err != nil:
		return Ticket{}, refuse(http.StatusBadRequest, "The upload's ticket is not good: %v.", err)
	}
	asked, err := Canonical(uri)
	switch {
	case err != nil || t.URI != asked || t.Method != method:
		return Ticket{}, refuse(http.StatusForbidden, "The upload's ticket is for another request.")
	case t.User != user:
		return Ticket{}, refuse(http.StatusForbidden, "The upload's ticket is another user's.")
	}
	return t, nil
}
