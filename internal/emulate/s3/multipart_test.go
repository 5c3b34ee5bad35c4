package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestPresignedParts: a browser puts parts by URLs, in any order and one of them twice, and the account completes or aborts the upload.
func TestPresignedParts(t *testing.T) {
	a := newAccount(t)
	name, key := aws.String("b"), aws.String("staging/large")
	up, err := a.client.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: name, Key: key, ContentType: aws.String("text/plain")})
	if err != nil {
		t.Fatal(err)
	}
	bodies := []string{strings.Repeat("a", 5<<20), strings.Repeat("b", 5<<20), "end"}
	part := func(number int32, body string) (int, string, string) {
		put, err := a.presign.PresignUploadPart(t.Context(), &sdk.UploadPartInput{Bucket: name, Key: key, UploadId: up.UploadId, PartNumber: &number, ContentLength: aws.Int64(int64(len(bodies[number-1])))})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), "PUT", put.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text), res.Header.Get("Etag")
	}
	if status, body, _ := part(1, bodies[0]+"more"); !refused(status, body, 403, "SignatureDoesNotMatch") {
		t.Errorf("a larger part: %d %.300s", status, body)
	}
	parts := make([]types.CompletedPart, len(bodies))
	for _, i := range []int{2, 1, 0, 1} {
		status, body, tag := part(int32(i+1), bodies[i])
		if want := fmt.Sprintf(`"%x"`, md5.Sum([]byte(bodies[i]))); status != 200 || tag != want {
			t.Fatalf("part %d: %d %s %s, want %s", i+1, status, body, tag, want)
		}
		parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: &tag}
	}
	in := &sdk.CompleteMultipartUploadInput{Bucket: name, Key: key, UploadId: up.UploadId, MpuObjectSize: aws.Int64(10<<20 + 4), MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}
	if _, err := a.client.CompleteMultipartUpload(t.Context(), in); codeOf(err) != "InvalidRequest" || !strings.Contains(err.Error(), "does not match what was computed: 10485763") {
		t.Errorf("another size: %v", err)
	}
	in.MpuObjectSize = aws.Int64(10<<20 + 3)
	done, err := a.client.CompleteMultipartUpload(t.Context(), in)
	if err != nil || !strings.HasSuffix(aws.ToString(done.ETag), `-3"`) || done.ChecksumType != types.ChecksumTypeFullObject || aws.ToString(done.ChecksumCRC64NVME) == "" {
		t.Fatalf("%+v %v", done, err)
	}
	got, err := a.client.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: name, Key: key}) // the SDK checks the checksum
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if body, err := io.ReadAll(got.Body); err != nil || string(body) != strings.Join(bodies, "") || aws.ToString(got.ContentType) != "text/plain" {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

// TestPartsWithChecksums: with the algorithm CRC32 each part has to have one and the end names them, as localstack has recorded of S3
// (test_multipart_parts_checksum_exceptions_composite and its neighbours). A part by a presigned URL has none, and is refused.
func TestPartsWithChecksums(t *testing.T) {
	a := newAccount(t)
	name, key := aws.String("b"), aws.String("k")
	create := func(algorithm types.ChecksumAlgorithm, kind types.ChecksumType) (*string, error) {
		up, err := a.client.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: name, Key: key, ChecksumAlgorithm: algorithm, ChecksumType: kind})
		if err != nil {
			return nil, err
		}
		return up.UploadId, nil
	}
	for _, test := range []struct {
		algorithm types.ChecksumAlgorithm
		kind      types.ChecksumType
		says      string
	}{
		{"CRC64NVME", "COMPOSITE", "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."},
		{"SHA256", "FULL_OBJECT", "The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm."},
		{"OTHER", "", "Checksum algorithm provided is unsupported."}, {"CRC32C", "FULL_OBJECT", ""}, {"SHA1", "", ""},
	} {
		if _, err := create(test.algorithm, test.kind); test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	id, err := create("CRC32", "")
	if err != nil {
		t.Fatal(err)
	}
	put, err := a.presign.PresignUploadPart(t.Context(), &sdk.UploadPartInput{Bucket: name, Key: key, UploadId: id, PartNumber: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := send(t, "PUT", put.URL, "part"); !refused(status, body, 400, "InvalidRequest") || !strings.Contains(body, "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: null") {
		t.Errorf("%d %s", status, body)
	}
	part := func(algorithm types.ChecksumAlgorithm) (*sdk.UploadPartOutput, error) {
		return a.client.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: name, Key: key, UploadId: id, PartNumber: aws.Int32(1), Body: strings.NewReader("part"), ChecksumAlgorithm: algorithm})
	}
	if _, err := part("SHA256"); err == nil || !strings.Contains(err.Error(), "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: sha256") {
		t.Error(err)
	}
	p, err := part("CRC32")
	if err != nil || aws.ToString(p.ChecksumCRC32) == "" {
		t.Fatalf("%+v %v", p, err)
	}
	complete := func(sum *string) (*sdk.CompleteMultipartUploadOutput, error) {
		return a.client.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{Bucket: name, Key: key, UploadId: id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: p.ETag, ChecksumCRC32: sum}}}})
	}
	if _, err := complete(nil); err == nil || !strings.Contains(err.Error(), "The upload was created using a crc32 checksum. The complete request must include the checksum for each part. It was missing for part 1 in the request.") {
		t.Error(err)
	}
	if _, err := complete(aws.String("AAAAAA==")); codeOf(err) != "InvalidPart" {
		t.Error(err)
	}
	if listed, err := a.client.ListParts(t.Context(), &sdk.ListPartsInput{Bucket: name, Key: key, UploadId: id}); err != nil || listed.ChecksumAlgorithm != "CRC32" || listed.ChecksumType != "COMPOSITE" || aws.ToString(listed.Parts[0].ChecksumCRC32) != *p.ChecksumCRC32 {
		t.Errorf("%+v %v", listed, err)
	}
	done, err := complete(p.ChecksumCRC32)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(*p.ChecksumCRC32)
	sum := crc32.ChecksumIEEE(raw)
	if want := base64.StdEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}) + "-1"; aws.ToString(done.ChecksumCRC32) != want || done.ChecksumType != "COMPOSITE" {
		t.Errorf("%s %s, want %s", aws.ToString(done.ChecksumCRC32), done.ChecksumType, want)
	}
}

// TestChecksums are those that localstack has recorded of S3 for a text (test_put_object_checksum, test_s3_checksum_no_automatic_sdk_calculation).
func TestChecksums(t *testing.T) {
	a := newAccount(t)
	for algorithm, sum := range map[string]string{"crc32": "cZWHwQ==", "crc64nvme": "qUVrWYOrIAM=", "sha256": "2l26x0trnT0r2AvakoFk2MB7eKVKzYESLMxSAKAzoik="} {
		header := "x-amz-checksum-" + algorithm
		put := func(sum, text string) (int, string) {
			return send(t, "PUT", a.presigned("PUT", "/b/k", header+"="+url.QueryEscape(sum), "host;"+header), text)
		}
		if status, body := put(sum, "test data.."); status != 200 {
			t.Errorf("%s: %d %s", algorithm, status, body)
		}
		if status, body := put(sum, "test data."); !refused(status, body, 400, "BadDigest") || !strings.Contains(body, "The "+strings.ToUpper(algorithm)+" you specified did not match the calculated checksum.") {
			t.Errorf("%s of another body: %d %s", algorithm, status, body)
		}
		if status, body := put("YWJj", "test data.."); !refused(status, body, 400, "InvalidRequest") || !strings.Contains(body, "Value for "+header+" header is invalid.") {
			t.Errorf("%s of another length: %d %s", algorithm, status, body)
		}
	}
	for text, want := range map[string]string{"": "AAAAAAAAAAA=", "123456": "CVmbZh4IWzA=", "aaa": "Rnr2/5P7Gsk=", "test": "+bu+zv66sUM="} { // of S3, whether in one part or not
		if status, body := send(t, "PUT", a.presigned("PUT", "/b/k", "x=", "host"), text); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		head, err := a.client.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), ChecksumMode: "ENABLED"})
		if err != nil || aws.ToString(head.ChecksumCRC64NVME) != want || head.ChecksumType != "FULL_OBJECT" {
			t.Errorf("%q: %s %v, want %s", text, aws.ToString(head.ChecksumCRC64NVME), err, want)
		}
	}
}

// TestConditionsMeetOthers: of many writers at once one wins, and what happens to a key during an upload counts at its end, as localstack
// has recorded of S3 (test_multipart_if_none_match_with_delete, test_multipart_if_match_with_put and their neighbours).
func TestConditionsMeetOthers(t *testing.T) {
	a := newAccount(t)
	name := aws.String("b")
	var wait sync.WaitGroup
	codes := make([]string, 16)
	for i := range codes {
		wait.Go(func() {
			_, err := a.client.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: name, Key: aws.String("claim"), Body: strings.NewReader(fmt.Sprint(i)), IfNoneMatch: aws.String("*")})
			if codes[i] = ""; err != nil {
				codes[i] = codeOf(err)
			}
		})
	}
	wait.Wait()
	won := 0
	for _, code := range codes {
		if code == "" {
			won++
		} else if code != "PreconditionFailed" {
			t.Errorf("a writer too late: %s", code)
		}
	}
	if won != 1 {
		t.Errorf("%d of 16 writers have won", won)
	}

	key := aws.String("k")
	put := func(body string) *string {
		out, err := a.client.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: name, Key: key, Body: strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		return out.ETag
	}
	remove := func() {
		if _, err := a.client.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: name, Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	begin := func() func(none, match *string) string {
		up, err := a.client.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: name, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		p, err := a.client.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: name, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("test")})
		if err != nil {
			t.Fatal(err)
		}
		return func(none, match *string) string {
			in := &sdk.CompleteMultipartUploadInput{Bucket: name, Key: key, UploadId: up.UploadId, IfNoneMatch: none, IfMatch: match,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: p.ETag, ChecksumCRC32: p.ChecksumCRC32}}}}
			if _, err := a.client.CompleteMultipartUpload(t.Context(), in); err != nil {
				return codeOf(err)
			}
			return "ok"
		}
	}
	any := aws.String("*")
	put("x")
	complete := begin()
	if got := complete(any, nil); got != "PreconditionFailed" {
		t.Errorf("over an object: %s", got)
	}
	remove()
	if got := complete(any, nil); got != "ConditionalRequestConflict" {
		t.Errorf("after a delete: %s", got)
	}
	if got := begin()(any, nil); got != "ok" {
		t.Errorf("begun anew: %s", got)
	}
	tag := put("old")
	complete = begin()
	other := put("new")
	if got := complete(nil, tag); got != "PreconditionFailed" {
		t.Errorf("another object meanwhile: %s", got)
	}
	if got := complete(nil, other); got != "ConditionalRequestConflict" {
		t.Errorf("an object made meanwhile: %s", got)
	}
	if got := begin()(nil, other); got != "ok" {
		t.Errorf("begun after it: %s", got)
	}
	complete = begin()
	remove()
	if got := complete(nil, other); got != "NoSuchKey" {
		t.Errorf("after a delete: %s", got)
	}

	tag = put("y")
	for _, test := range []struct{ match, want string }{{`"x"`, "PreconditionFailed"}, {*tag, ""}, {"*", "PreconditionFailed"}} {
		_, err := a.client.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: name, Key: key, IfMatch: &test.match})
		if (test.want == "") != (err == nil) || err != nil && codeOf(err) != test.want {
			t.Errorf("delete if it is %s: %v", test.match, err)
		}
	}
}

// TestConflictDuringAWrite: a delete while the body of a conditional write is on its way makes it fail, as the user guide has it.
func TestConflictDuringAWrite(t *testing.T) {
	a := newAccount(t)
	if err := a.Put("b", "k", strings.NewReader("x"), nil); err != nil {
		t.Fatal(err)
	}
	body, feed := io.Pipe()
	answer := make(chan string)
	go func() {
		r := httptest.NewRequest("PUT", "/b/k", body)
		r.ContentLength = 5
		r.Header.Set("If-None-Match", "*")
		w := httptest.NewRecorder()
		a.API().ServeHTTP(w, r)
		answer <- fmt.Sprint(w.Code, regexp.MustCompile(`<Code>\w+`).FindString(w.Body.String()))
	}()
	if _, err := feed.Write([]byte("he")); err != nil { // the handler reads, so the write has begun
		t.Fatal(err)
	}
	if err := a.remove("b", "k", nil); err != nil {
		t.Fatal(err)
	}
	_, _ = feed.Write([]byte("llo"))
	feed.Close()
	if got := <-answer; got != "409<Code>ConditionalRequestConflict" {
		t.Error(got)
	}
}

// TestLargeUploadLeavesNothing: parts lie on the disk, and go with the upload.
func TestLargeUploadLeavesNothing(t *testing.T) {
	s := newStore(t)
	s.Bucket("b")
	c, _ := client(t, s)
	name, key := aws.String("b"), aws.String("k")
	up, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: name, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for n := int32(1); n <= 3; n++ {
		if _, err := c.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: name, Key: key, UploadId: up.UploadId, PartNumber: &n, Body: bytes.NewReader(make([]byte, 1<<20))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.AbortMultipartUpload(t.Context(), &sdk.AbortMultipartUploadInput{Bucket: name, Key: key, UploadId: up.UploadId}); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(s.dir); len(files) != 0 || s.memory != 0 || len(s.watches) != 0 {
		t.Errorf("%d files, %d bytes and %d watches are left", len(files), s.memory, len(s.watches))
	}
}
