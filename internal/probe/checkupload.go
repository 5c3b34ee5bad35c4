package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// checkUpload4 sends what fits in Lambda's 6 MB even as base64.
func checkUpload4(ctx context.Context, s *session) (report.Finding, error) {
	u, err := s.newUpload(4 << 20)
	if err != nil {
		return report.Finding{}, err
	}
	a, err := s.upload(ctx, u)
	if err != nil {
		return report.Finding{}, err
	}
	if a.StatusCode/100 != 2 {
		return report.Finding{}, report.Failed("4 MB are 5.6 MB as base64, below Lambda's limit of 6 MB: some hop has a smaller one of its own", "4 MB got %d: %s", a.StatusCode, excerpt(a.body))
	}
	if err := s.arrived(ctx, a, u); err != nil {
		return report.Finding{}, err
	}
	return report.Found("arrived whole in %s", report.Seconds(a.head)).With("headMs", report.Millis(a.head)), nil
}

// checkUpload7 sends what does not fit. It has to be refused in so many words, or to work by some other way.
func checkUpload7(ctx context.Context, s *session) (report.Finding, error) {
	u, err := s.newUpload(7 << 20)
	if err != nil {
		return report.Finding{}, err
	}
	a, err := s.upload(ctx, u)
	if err != nil {
		return report.Finding{}, err
	}
	switch {
	case a.StatusCode/100 == 2:
		if err := s.arrived(ctx, a, u); err != nil {
			return report.Finding{}, err
		}
		return report.Found("accepted, arrived whole in %s: uploads beyond Lambda's 6 MB work", report.Seconds(a.head)).With("status", float64(a.StatusCode)), nil
	case a.StatusCode/100 == 4 && !a.isHTML():
		return report.Found("refused with %d, as Lambda's limit of 6 MB asks for: %s", a.StatusCode, excerpt(a.body)).With("status", float64(a.StatusCode)), nil
	}
	return report.Finding{}, report.Failed("what is too large must be refused with 413, so that the visitor learns why", "7 MB got %d %s: %s", a.StatusCode, a.Header.Get("Content-Type"), excerpt(a.body))
}

// upload is what is sent to the description's upload.
type upload struct {
	request description.Request // with the Content-Type
	body    []byte
	size    int64 // of the file in it
	sum     [sha256.Size]byte
}

// newUpload makes random bytes: what compresses would not show a limit, and what is text not a wrong encoding.
func (s *session) newUpload(size int64) (upload, error) {
	d := s.d.Upload
	switch {
	case d == nil:
		return upload{}, s.absent("upload")
	case d.Limit > 0 && size > d.Limit:
		return upload{}, report.Skipped(fmt.Sprintf("the app itself takes no more than %.1f MB", mb(d.Limit)))
	}
	u := upload{request: d.Request, body: make([]byte, size), size: size}
	rand.Read(u.body)
	u.sum = sha256.Sum256(u.body)
	kind := "application/octet-stream"
	if d.Form != nil {
		var err error
		if u.body, kind, err = s.form(*d.Form, u.body); err != nil {
			return upload{}, err
		}
	}
	u.request.Header = map[string]string{"Content-Type": kind}
	maps.Copy(u.request.Header, d.Header)
	if u.request.Method == "" {
		u.request.Method = http.MethodPost
	}
	u.request.Capture = nil // until it is accepted
	return u, nil
}

// form is a body with the fields, and after them the file: an app may judge a file by them while it comes.
func (s *session) form(f description.Form, file []byte) (body []byte, contentType string, err error) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
		value, err := s.expand(f.Fields[name])
		if err != nil {
			return nil, "", err
		}
		if err := w.WriteField(name, value); err != nil {
			return nil, "", err
		}
	}
	head := textproto.MIMEHeader{"Content-Disposition": {multipart.FileContentDisposition(f.Field, f.File)}}
	if f.Type != "" {
		head.Set("Content-Type", f.Type)
	}
	part, err := w.CreatePart(head)
	if err == nil {
		_, err = part.Write(file)
	}
	err = errors.Join(err, w.Close())
	return out.Bytes(), w.FormDataContentType(), err
}

func (s *session) upload(ctx context.Context, u upload) (answer, error) {
	return s.getBody(ctx, u.request, bytes.NewReader(u.body), int64(len(u.body)))
}

// arrived compares what the app says it got, or gives back, with what was sent, and removes it.
func (s *session) arrived(ctx context.Context, a answer, u upload) error {
	d := s.d.Upload
	if f := d.CountField; f != "" {
		if got, _ := description.Field(a.body, f); got != fmt.Sprint(u.size) {
			return report.Failed(binaryHint, "of %d bytes, the app got %q", u.size, got)
		}
	}
	if f := d.DigestField; f != "" {
		if got, _ := description.Field(a.body, f); got != hex.EncodeToString(u.sum[:]) {
			return report.Failed(binaryHint, "the app got %d bytes, but not the ones that were sent", u.size)
		}
	}
	if err := s.capture(d.Request, a); err != nil {
		return err
	}
	err := s.back(ctx, u)
	if d.Remove != nil {
		err = errors.Join(err, s.ok(ctx, *d.Remove, "to remove what was uploaded"))
	}
	return err
}

// back reads what was uploaded again, where the app gives it back.
func (s *session) back(ctx context.Context, u upload) error {
	r := s.d.Upload.Back
	if r == nil {
		return nil
	}
	res, _, err := s.send(ctx, *r, nil, 0)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(res.Body, u.size+1)) // one byte more is wrong already
	switch {
	case res.StatusCode != http.StatusOK:
		return report.Failed(apiHint(answer{Response: res}), "%s to read it again got %d", r.Path, res.StatusCode)
	case err != nil || n != u.size || [sha256.Size]byte(sum.Sum(nil)) != u.sum:
		return report.Failed(binaryHint, "of %d bytes that the app took it gives back %d, or others%s", u.size, n, because(err))
	}
	return nil
}
