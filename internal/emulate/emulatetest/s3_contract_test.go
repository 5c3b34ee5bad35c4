package emulatetest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Bucket is a private bucket, empty below contract/, and a client that may do
// everything with it.
type Bucket struct {
	Client *s3.Client
	Name   string
}

// S3 is what an SDK may rely on. Every case holds on AWS too, or the emulator is
// wrong.
func S3(t *testing.T, b Bucket) {
	t.Cleanup(func() { b.clear(t) })
	t.Run("put, get, head", b.roundTrip)
	t.Run("ranges and conditions", b.conditions)
	t.Run("what is not there", b.missing)
	t.Run("conditional put", b.putOnce)
	t.Run("list", b.list)
	t.Run("copy", b.copy)
	t.Run("multipart", b.multipart)
	t.Run("presigned", b.presigned)
}

func (b Bucket) put(t *testing.T, key, body string) {
	t.Helper()
	_, err := b.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.Name, Key: &key, Body: strings.NewReader(body),
		ContentType: aws.String("text/css"), CacheControl: aws.String("max-age=5"), Metadata: map[string]string{"release": "7"}})
	if err != nil {
		t.Fatal(err)
	}
}

func (b Bucket) clear(t *testing.T) {
	ctx := t.Context()
	if ctx.Err() != nil { // a cleanup runs after the test's context
		ctx = contextWithoutCancel(t)
	}
	list, err := b.Client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.Name, Prefix: aws.String("contract/")})
	if err != nil || len(list.Contents) == 0 {
		return
	}
	var ids []types.ObjectIdentifier
	for _, o := range list.Contents {
		ids = append(ids, types.ObjectIdentifier{Key: o.Key})
	}
	if _, err := b.Client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &b.Name, Delete: &types.Delete{Objects: ids}}); err != nil {
		t.Error(err)
	}
}

func (b Bucket) roundTrip(t *testing.T) {
	const key = "contract/a b+c/é.css"
	b.put(t, key, "body{}")
	got, err := b.Client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.Name, Key: aws.String(key)})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, _ := io.ReadAll(got.Body)
	if string(body) != "body{}" || aws.ToString(got.ContentType) != "text/css" || aws.ToString(got.CacheControl) != "max-age=5" ||
		got.Metadata["release"] != "7" || aws.ToString(got.ETag) != `"aa676972bbd2b68e94ef8e91e81d20be"` { // the MD5 of the body
		t.Errorf("%q %+v", body, got)
	}
	head, err := b.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.Name, Key: aws.String(key)})
	if err != nil || aws.ToInt64(head.ContentLength) != 6 || aws.ToString(head.ETag) != aws.ToString(got.ETag) {
		t.Errorf("%+v %v", head, err)
	}
}

func (b Bucket) conditions(t *testing.T) {
	key := "contract/conditions"
	b.put(t, key, "0123456789")
	part, err := b.Client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.Name, Key: &key, Range: aws.String("bytes=2-4")})
	if err != nil {
		t.Fatal(err)
	}
	defer part.Body.Close()
	if body, _ := io.ReadAll(part.Body); string(body) != "234" || aws.ToString(part.ContentRange) != "bytes 2-4/10" {
		t.Errorf("%q %v", body, aws.ToString(part.ContentRange))
	}
	_, err = b.Client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.Name, Key: &key, IfNoneMatch: part.ETag})
	if got := status(err); got != http.StatusNotModified {
		t.Errorf("unchanged object: %d", got)
	}
	_, err = b.Client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.Name, Key: &key, Range: aws.String("bytes=10-")})
	if got := status(err); got != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("range past the end: %d", got)
	}
}

func (b Bucket) missing(t *testing.T) {
	_, err := b.Client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.Name, Key: aws.String("contract/none")})
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != "NoSuchKey" {
		t.Errorf("%v", err)
	}
	if _, err = b.Client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.Name, Key: aws.String("contract/none")}); err != nil {
		t.Errorf("deleting nothing: %v", err)
	}
}

func (b Bucket) putOnce(t *testing.T) {
	key := "contract/once"
	for i, want := range []int{0, http.StatusPreconditionFailed} {
		_, err := b.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.Name, Key: &key, Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")})
		if got := status(err); got != want {
			t.Errorf("put %d: %d, %v", i, got, err)
		}
	}
}

func (b Bucket) list(t *testing.T) {
	for _, k := range []string{"contract/list/a", "contract/list/b/1", "contract/list/b/2", "contract/list/c"} {
		b.put(t, k, k)
	}
	var keys []string
	pages := s3.NewListObjectsV2Paginator(b.Client, &s3.ListObjectsV2Input{Bucket: &b.Name, Prefix: aws.String("contract/list/"), MaxKeys: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, strings.TrimPrefix(aws.ToString(o.Key), "contract/list/"))
		}
	}
	if got := strings.Join(keys, " "); got != "a b/1 b/2 c" {
		t.Errorf("%s", got)
	}
	folded, err := b.Client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &b.Name, Prefix: aws.String("contract/list/"), Delimiter: aws.String("/")})
	if err != nil || len(folded.Contents) != 2 || len(folded.CommonPrefixes) != 1 || aws.ToString(folded.CommonPrefixes[0].Prefix) != "contract/list/b/" {
		t.Errorf("%+v %v", folded, err)
	}
}

func (b Bucket) copy(t *testing.T) {
	b.put(t, "contract/from", "copied")
	_, err := b.Client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &b.Name, Key: aws.String("contract/to"), CopySource: aws.String(b.Name + "/contract/from")})
	if err != nil {
		t.Fatal(err)
	}
	head, err := b.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.Name, Key: aws.String("contract/to")})
	if err != nil || aws.ToString(head.ContentType) != "text/css" || head.Metadata["release"] != "7" {
		t.Errorf("%+v %v", head, err)
	}
}

func (b Bucket) multipart(t *testing.T) {
	key := "contract/multipart"
	part := bytes.Repeat([]byte("0123456789abcdef"), 5<<16) // 5 MiB, the least that a part may have
	up, err := b.Client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &b.Name, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	for n, body := range [][]byte{part, []byte("end")} {
		number := aws.Int32(int32(n + 1))
		p, err := b.Client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &b.Name, Key: &key, UploadId: up.UploadId, PartNumber: number, Body: bytes.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: number, ETag: p.ETag})
	}
	_, err = b.Client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &b.Name, Key: &key, UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	if err != nil {
		t.Fatal(err)
	}
	head, err := b.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.Name, Key: &key})
	if err != nil || aws.ToInt64(head.ContentLength) != int64(len(part)+3) {
		t.Errorf("%+v %v", head, err)
	}
}

func (b Bucket) presigned(t *testing.T) {
	p := s3.NewPresignClient(b.Client)
	put, err := p.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.Name, Key: aws.String("contract/presigned")}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	Web{}.send(t, "PUT", put.URL, "hello", 200)
	get, err := p.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.Name, Key: aws.String("contract/presigned")}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if body := (Web{}).send(t, "GET", get.URL, "", 200); body != "hello" {
		t.Errorf("%q", body)
	}
}

func (w Web) send(t *testing.T, method, url, body string, want int) string {
	t.Helper()
	w.URL = url
	res, got := w.do(t, method, "", strings.NewReader(body))
	if res.StatusCode != want {
		t.Fatalf("%s: %d %s", method, res.StatusCode, got)
	}
	return string(got)
}

// status is the HTTP status of an SDK error, 0 for none.
func status(err error) int {
	var e interface{ HTTPStatusCode() int }
	if errors.As(err, &e) {
		return e.HTTPStatusCode()
	}
	return 0
}
