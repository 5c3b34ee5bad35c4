package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Store is a bucket for bodies.
type Store struct {
	Client *s3.Client
	Bucket string
}

const (
	// singleLimit is the largest body that is put in one piece; partSize is the least of one of several, and maxParts their number.
	singleLimit = 100 << 20
	partSize    = 16 << 20
	maxParts    = 200
)

// presign returns the requests that put a body, and the id of a multipart upload where there are several.
func (s Store) presign(ctx context.Context, key string, size int64) (parts []Part, upload string, err error) {
	signer := s3.NewPresignClient(s.Client, s3.WithPresignExpires(lifetime))
	if size <= singleLimit {
		r, err := signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &s.Bucket, Key: &key, ContentLength: &size, ContentType: aws.String(bodyType)})
		if err != nil {
			return nil, "", err
		}
		return []Part{part(r.URL, r.SignedHeader, size)}, "", nil
	}
	made, err := s.Client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.Bucket, Key: &key, ContentType: aws.String(bodyType)})
	if err != nil {
		return nil, "", err
	}
	for number, left := int32(1), size; left > 0; number++ {
		n := min(left, max(partSize, (size+maxParts-1)/maxParts))
		r, err := signer.PresignUploadPart(ctx, &s3.UploadPartInput{Bucket: &s.Bucket, Key: &key, UploadId: made.UploadId, PartNumber: &number, ContentLength: &n})
		if err != nil {
			return nil, "", err
		}
		parts = append(parts, part(r.URL, r.SignedHeader, n))
		left -= n
	}
	return parts, *made.UploadId, nil
}

// bodyType is what S3 is told of every body. What the app is told stands in the ticket.
const bodyType = "application/octet-stream"

// part has the headers that a client must send. A browser sends Host and Content-Length by itself, and lets no script do it.
func part(url string, signed http.Header, size int64) Part {
	p := Part{URL: url, Size: size}
	for name := range signed {
		if lower := strings.ToLower(name); lower != "host" && lower != "content-length" {
			if p.Headers == nil {
				p.Headers = map[string]string{}
			}
			p.Headers[lower] = signed.Get(name)
		}
	}
	return p
}

var (
	errClaimed = errors.New("the upload is claimed")
	errMissing = errors.New("the body is not in S3 as the ticket says")
)

// claim succeeds for one caller. The claim outlives the body, so that neither can come back.
func (s Store) claim(ctx context.Context, key string) error {
	key += ".claim"
	mine := rand.Text()
	_, err := s.Client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.Bucket, Key: &key, Body: strings.NewReader(mine), IfNoneMatch: aws.String("*")})
	switch ErrorCode(err) {
	case "PreconditionFailed", "ConditionalRequestConflict": // or by this very request, sent again where its answer was lost
		return s.claimed(ctx, key, mine)
	}
	return err
}

func (s Store) claimed(ctx context.Context, key, mine string) error {
	out, err := s.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key})
	if err != nil {
		return errClaimed
	}
	defer out.Body.Close()
	if found, err := io.ReadAll(io.LimitReader(out.Body, int64(len(mine))+1)); err != nil || string(found) != mine {
		return errClaimed
	}
	return nil
}

// ErrorCode is the error code of an AWS API, or "".
func ErrorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// open begins to read a body, whose parts become one object before. A connection that brings nothing for so long is given up.
func (s Store) open(ctx context.Context, t Ticket, silence time.Duration) (*Body, error) {
	b := &Body{Size: t.Size, Type: t.Type, store: s, key: t.Object, ctx: ctx, silence: silence}
	if t.Upload != "" {
		if err := s.complete(ctx, t); err != nil && ErrorCode(err) != "NoSuchUpload" { // whose parts were joined, if the answer was lost
			b.remove(t.Upload)
			return nil, err
		}
	}
	if err := b.get(); err != nil {
		b.remove("")
		return nil, err
	}
	return b, nil
}

func (s Store) complete(ctx context.Context, t Ticket) error {
	var done types.CompletedMultipartUpload
	var size int64
	pages := s3.NewListPartsPaginator(s.Client, &s3.ListPartsInput{Bucket: &s.Bucket, Key: &t.Object, UploadId: &t.Upload})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return missing(err)
		}
		for _, p := range page.Parts {
			done.Parts = append(done.Parts, types.CompletedPart{ETag: p.ETag, PartNumber: p.PartNumber})
			size += aws.ToInt64(p.Size)
		}
	}
	if size != t.Size {
		return fmt.Errorf("%w: its parts have %d bytes of %d", errMissing, size, t.Size)
	}
	_, err := s.Client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &s.Bucket, Key: &t.Object, UploadId: &t.Upload, MultipartUpload: &done})
	return missing(err)
}

// missing tells what S3 does not have from what it did not do.
func missing(err error) error {
	switch ErrorCode(err) {
	case "NoSuchKey", "NoSuchUpload", "InvalidPart", "AccessDenied", "NotFound": // AccessDenied where the role may not list the bucket
		return fmt.Errorf("%w: %w", errMissing, err)
	}
	return err
}

// Body is a request's body in S3. It is read once, by one goroutine.
type Body struct {
	Size int64
	Type string

	store   Store
	key     string
	ctx     context.Context // of the request to the app
	silence time.Duration
	cancel  context.CancelFunc // of the connection
	quiet   *time.Timer        // cancels it; runs while Read waits
	log     *slog.Logger
	etag    *string
	from    io.ReadCloser
	read    int64
	broken  int
	removed bool

	mu  sync.Mutex
	err error // of Read
}

// Err is the error of Read, if S3 did not give the whole body. It can be asked while the body is read.
func (b *Body) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *Body) fail(err error) error {
	err = fmt.Errorf("read an upload at %d of %d bytes: %w", b.read, b.Size, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	return err
}

// get asks for what has not been read yet.
func (b *Body) get() error {
	in := &s3.GetObjectInput{Bucket: &b.store.Bucket, Key: &b.key, IfMatch: b.etag}
	if b.read > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", b.read))
	}
	ctx, cancel := context.WithCancel(b.ctx)
	out, err := b.store.Client.GetObject(ctx, in)
	if err != nil {
		cancel()
		return missing(err)
	}
	if n := aws.ToInt64(out.ContentLength); n != b.Size-b.read {
		out.Body.Close()
		cancel()
		return fmt.Errorf("%w: it has %d bytes of %d", errMissing, n+b.read, b.Size)
	}
	b.etag, b.from, b.cancel = out.ETag, out.Body, cancel
	b.quiet = time.AfterFunc(b.silence, cancel)
	b.quiet.Stop()
	return nil
}

// maxBroken is how often a body is asked for anew where a connection to S3 breaks.
const maxBroken = 3

// Read reads the body, over as many connections to S3 as it takes.
func (b *Body) Read(p []byte) (int, error) {
	for {
		b.quiet.Reset(b.silence)
		n, err := b.from.Read(p)
		b.quiet.Stop()
		b.read += int64(n)
		switch {
		case n > 0 || b.read == b.Size:
			return n, eof(b.read == b.Size)
		case err == nil:
			continue
		case b.broken == maxBroken || b.ctx.Err() != nil:
			return 0, b.fail(err)
		}
		b.broken++
		b.from.Close()
		b.cancel()
		if err := b.get(); err != nil {
			return 0, b.fail(err)
		}
	}
}

func eof(end bool) error {
	if end {
		return io.EOF
	}
	return nil
}

// removeLimit bounds the removal of a body, for which the environment is held.
const removeLimit = 5 * time.Second

// Close ends the reading and removes the body from S3.
func (b *Body) Close() error {
	err := b.from.Close()
	b.cancel()
	b.remove("")
	return err
}

// remove deletes what there is of a body. Where it fails, the lifecycle rule does it later.
func (b *Body) remove(upload string) {
	if b.removed {
		return
	}
	b.removed = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), removeLimit)
	defer cancel()
	if upload != "" {
		_, _ = b.store.Client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.store.Bucket, Key: &b.key, UploadId: &upload})
	}
	if _, err := b.store.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.store.Bucket, Key: &b.key}); err != nil && b.log != nil {
		b.log.Warn("an upload was not removed; the bucket's lifecycle does it", "key", b.key, "error", err)
	}
}
