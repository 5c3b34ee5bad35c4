package s3

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// codeOf is the name of an error that the SDK read.
func codeOf(err error) string {
	var failed smithy.APIError
	if errors.As(err, &failed) {
		return failed.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestListsInPages(t *testing.T) {
	s := newStore(t)
	s.Bucket("b")
	c, _ := client(t, s)
	for _, key := range []string{"a", "dir/1", "dir/2", "dir/sub/3", "e & f", "z"} {
		if err := s.Put("b", key, strings.NewReader(key), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		prefix, delimiter, after string
		want                     []string
	}{
		{"", "", "", []string{"a", "dir/1", "dir/2", "dir/sub/3", "e & f", "z"}},
		{"", "/", "", []string{"a", "dir/", "e & f", "z"}},
		{"dir/", "/", "", []string{"dir/1", "dir/2", "dir/sub/"}},
		{"", "", "dir/2", []string{"dir/sub/3", "e & f", "z"}},
		{"", "/", "dir/1", []string{"dir/", "e & f", "z"}},
		{"none", "", "", nil},
	} {
		for _, size := range []int32{1, 2, 1000} {
			in := &sdk.ListObjectsV2Input{Bucket: aws.String("b"), Prefix: &test.prefix, Delimiter: &test.delimiter, MaxKeys: &size}
			if test.after != "" {
				in.StartAfter = &test.after
			}
			var got []string
			for pages := sdk.NewListObjectsV2Paginator(c, in); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n := len(page.Contents) + len(page.CommonPrefixes); n != int(aws.ToInt32(page.KeyCount)) || n > int(size) {
					t.Errorf("%d keys, count %d, of at most %d", n, aws.ToInt32(page.KeyCount), size)
				}
				for _, o := range page.Contents {
					got = append(got, *o.Key)
				}
				for _, p := range page.CommonPrefixes {
					got = append(got, *p.Prefix)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("%+v in pages of %d: %q", test, size, got)
			}
		}
	}
	// The first version of the call, whose pages follow each other by a marker.
	var first []string
	marker := ""
	for {
		page, err := c.ListObjects(t.Context(), &sdk.ListObjectsInput{Bucket: aws.String("b"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(1), Marker: &marker})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			first = append(first, *o.Key)
		}
		for _, p := range page.CommonPrefixes {
			first = append(first, *p.Prefix)
		}
		if !aws.ToBool(page.IsTruncated) {
			break
		}
		marker = aws.ToString(page.NextMarker)
	}
	if want := []string{"a", "dir/", "e & f", "z"}; !slices.Equal(first, want) {
		t.Errorf("by markers: %q", first)
	}
}

func TestConditionalWrites(t *testing.T) {
	s := newStore(t)
	s.Bucket("b")
	c, url := client(t, s)
	put := func(key, none, match string) string {
		in := &sdk.PutObjectInput{Bucket: aws.String("b"), Key: &key, Body: strings.NewReader("x")}
		if none != "" {
			in.IfNoneMatch = &none
		}
		if match != "" {
			in.IfMatch = &match
		}
		if _, err := c.PutObject(t.Context(), in); err != nil {
			return codeOf(err)
		}
		return "ok"
	}
	sum := fmt.Sprintf(`"%x"`, md5.Sum([]byte("x")))
	for _, test := range []struct{ key, none, match, want string }{
		{"k", "*", "", "ok"}, {"k", "*", "", "PreconditionFailed"}, {"k", "", sum, "ok"}, {"k", "", `"y"`, "PreconditionFailed"},
		{"other", "", sum, "NoSuchKey"}, {"k", `"y"`, "", "NotImplemented"},
	} {
		if got := put(test.key, test.none, test.match); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
	for _, test := range []struct {
		header, value, code string
		status              int
	}{
		{"Content-Md5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest", 400},
		{"Content-Md5", "?", "InvalidDigest", 400},
	} {
		r, _ := http.NewRequest("PUT", url+"/b/digest", strings.NewReader("x"))
		r.Header.Set(test.header, test.value)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != test.status || !strings.Contains(string(text), "<Code>"+test.code+"</Code>") {
			t.Errorf("%+v: %d %s", test, res.StatusCode, text)
		}
	}
	if res, _ := get(t, "HEAD", url+"/b/digest"); res.StatusCode != 404 {
		t.Errorf("a refused object is there: %d", res.StatusCode)
	}
}

func TestCopies(t *testing.T) {
	s := newStore(t)
	s.Bucket("b")
	c, _ := client(t, s)
	if err := s.Put("b", "a b/ü", strings.NewReader("x"), Metadata{"Content-Type": {"text/x"}}); err != nil {
		t.Fatal(err)
	}
	copied := func(source, to string, directive types.MetadataDirective) string {
		_, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String("b"), Key: &to, CopySource: &source,
			MetadataDirective: directive, ContentType: aws.String("text/y")})
		if err != nil {
			return codeOf(err)
		}
		head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("b"), Key: &to})
		if err != nil {
			return codeOf(err)
		}
		return aws.ToString(head.ContentType)
	}
	for _, test := range []struct {
		source, to string
		directive  types.MetadataDirective
		want       string
	}{
		{"b/a%20b/%C3%BC", "c", "", "text/x"}, {"/b/a%20b/%C3%BC", "c", "REPLACE", "text/y"}, {"b/c", "c", "", "InvalidRequest"},
		{"b/c", "c", "REPLACE", "text/y"}, {"b/none", "c", "", "NoSuchKey"}, {"none/c", "c", "", "NoSuchBucket"}, {"b", "c", "", "InvalidArgument"},
	} {
		if got := copied(test.source, test.to, test.directive); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

func TestMultipartAsS3(t *testing.T) {
	s := newStore(t)
	s.Bucket("b")
	c, _ := client(t, s)
	ctx, name, key := t.Context(), aws.String("b"), aws.String("k")
	create := func() *string {
		up, err := c.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{Bucket: name, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return up.UploadId
	}
	part := func(id *string, number int32, size int) types.CompletedPart {
		p, err := c.UploadPart(ctx, &sdk.UploadPartInput{Bucket: name, Key: key, UploadId: id, PartNumber: &number, Body: bytes.NewReader(make([]byte, size))})
		if err != nil {
			t.Fatal(err)
		}
		return types.CompletedPart{PartNumber: &number, ETag: p.ETag}
	}
	complete := func(id *string, parts ...types.CompletedPart) (string, string) {
		out, err := c.CompleteMultipartUpload(ctx, &sdk.CompleteMultipartUploadInput{Bucket: name, Key: key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
		if err != nil {
			return "", codeOf(err)
		}
		return aws.ToString(out.ETag), ""
	}
	id := create()
	one, two, small := part(id, 1, 5<<20), part(id, 2, 100), part(id, 3, 3)
	if listed, err := c.ListParts(ctx, &sdk.ListPartsInput{Bucket: name, Key: key, UploadId: id, MaxParts: aws.Int32(2)}); err != nil || len(listed.Parts) != 2 || !aws.ToBool(listed.IsTruncated) {
		t.Errorf("%+v, %v", listed, err)
	}
	if _, got := complete(id, one, two, small); got != "EntityTooSmall" {
		t.Errorf("a small part in the middle: %s", got)
	}
	if _, got := complete(id, two, one); got != "InvalidPartOrder" {
		t.Errorf("parts in another order: %s", got)
	}
	if _, got := complete(id, types.CompletedPart{PartNumber: aws.Int32(9), ETag: one.ETag}); got != "InvalidPart" {
		t.Errorf("a part that is not there: %s", got)
	}
	first, second := md5.Sum(make([]byte, 5<<20)), md5.Sum(make([]byte, 100))
	want := fmt.Sprintf(`"%x-2"`, md5.Sum(append(first[:], second[:]...)))
	if got, failed := complete(id, one, two); got != want {
		t.Errorf("the tag is %s %s, want %s", got, failed, want)
	}
	if _, got := complete(id, one, two); got != "NoSuchUpload" {
		t.Errorf("an upload that is over: %s", got)
	}
	id = create()
	part(id, 1, 10)
	if all, err := c.ListMultipartUploads(ctx, &sdk.ListMultipartUploadsInput{Bucket: name}); err != nil || len(all.Uploads) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := c.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: name, Key: key, UploadId: id}); err != nil {
		t.Error(err)
	}
	if all, err := c.ListMultipartUploads(ctx, &sdk.ListMultipartUploadsInput{Bucket: name}); err != nil || len(all.Uploads) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestBuckets(t *testing.T) {
	s := newStore(t)
	c, url := client(t, s)
	ctx, name := t.Context(), aws.String("b")
	if _, err := c.HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: name}); codeOf(err) != "NotFound" {
		t.Error(err)
	}
	if _, err := c.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: name, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}); err != nil {
		t.Error(err)
	}
	if _, err := c.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: name}); codeOf(err) != "BucketAlreadyOwnedByYou" {
		t.Error(err)
	}
	if all, err := c.ListBuckets(ctx, nil); err != nil || len(all.Buckets) != 1 || *all.Buckets[0].Name != "b" {
		t.Errorf("%+v, %v", all, err)
	}
	if where, err := c.GetBucketLocation(ctx, &sdk.GetBucketLocationInput{Bucket: name}); err != nil || where.LocationConstraint != "eu-west-1" {
		t.Errorf("%+v, %v", where, err)
	}
	if err := s.Put("b", "k", strings.NewReader("x"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteBucket(ctx, &sdk.DeleteBucketInput{Bucket: name}); codeOf(err) != "BucketNotEmpty" {
		t.Error(err)
	}
	if _, err := c.GetObjectTagging(ctx, &sdk.GetObjectTaggingInput{Bucket: name, Key: aws.String("k")}); codeOf(err) != "NotImplemented" {
		t.Error(err)
	}
	if res, body := get(t, "GET", url+"/b/k?response-content-type=text/z&response-content-disposition=attachment"); body != "x" ||
		res.Header.Get("Content-Type") != "text/z" || res.Header.Get("Content-Disposition") != "attachment" {
		t.Errorf("%q %v", body, res.Header)
	}
	if res, body := get(t, "GET", url+"/b/k", "Range", "bytes=7-"); res.StatusCode != 416 || !strings.Contains(body, "InvalidRange") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res, _ := get(t, "GET", url+"/b/k", "If-None-Match", "*"); res.StatusCode != 304 {
		t.Errorf("%d", res.StatusCode)
	}
	if _, err := c.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: name, Key: aws.String("k")}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteBucket(ctx, &sdk.DeleteBucketInput{Bucket: name}); err != nil {
		t.Error(err)
	}
	if _, err := c.GetObject(ctx, &sdk.GetObjectInput{Bucket: name, Key: aws.String("k")}); codeOf(err) != "NoSuchBucket" {
		t.Error(err)
	}
}

// TestWithAWSCLI: Amazon's own tool, by botocore, sees a bucket.
func TestWithAWSCLI(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not here: pip install awscli")
	}
	s := newStore(t)
	_, url := client(t, s)
	dir, back := t.TempDir(), t.TempDir()
	large := bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16)
	for name, content := range map[string][]byte{"index.html": []byte("<html>"), "a b/ü&.txt": []byte("x"), "large.bin": large, "empty": nil} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	cli := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "aws", append([]string{"--endpoint-url", url}, args...)...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_DEFAULT_REGION=eu-west-1", "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	cli("s3", "mb", "s3://b")
	cli("s3", "sync", dir, "s3://b/site/", "--only-show-errors") // the large one in parts
	if again := cli("s3", "sync", dir, "s3://b/site/"); strings.Contains(again, "upload") {
		t.Errorf("what is there is sent again: %s", again)
	}
	if all := cli("s3", "ls", "--recursive", "s3://b/"); strings.Count(all, "site/") != 4 || !strings.Contains(all, "20971520 site/large.bin") {
		t.Errorf("ls: %s", all)
	}
	cli("s3", "cp", "--recursive", "--only-show-errors", "s3://b/site/", back)
	for _, name := range []string{"a b/ü&.txt", "large.bin", "empty"} {
		want, _ := os.ReadFile(filepath.Join(dir, name))
		if got, err := os.ReadFile(filepath.Join(back, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	cli("s3", "mv", "--only-show-errors", "s3://b/site/index.html", "s3://b/moved")
	if res, body := get(t, "GET", strings.TrimSpace(cli("s3", "presign", "s3://b/moved"))); res.StatusCode != 200 || body != "<html>" {
		t.Errorf("presigned: %d %s", res.StatusCode, body)
	}
	if tag := cli("s3api", "head-object", "--bucket", "b", "--key", "site/large.bin", "--query", "ETag"); !strings.Contains(tag, `-3\"`) {
		t.Errorf("the tag of an object in three parts is %s", tag)
	}
	cli("s3", "rb", "--force", "s3://b")
}

// FuzzAPI: whatever the request, the answer is S3's and the store stays whole.
func FuzzAPI(f *testing.F) {
	f.Add("GET", "/b?list-type=2&prefix=a&delimiter=/&max-keys=1&continuation-token=YQ==", "", "")
	f.Add("POST", "/b?delete", "", "<Delete><Object><Key>k</Key></Object></Delete>")
	f.Add("PUT", "/b/k2", "/b/k", "")
	f.Add("POST", "/b/k?uploads", "", "")
	f.Add("POST", "/b/k?uploadId=x", "", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>")
	f.Add("GET", "/b/k?response-content-type=a&X-Amz-Expires=1", "", "")
	f.Fuzz(func(t *testing.T, method, target, source, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") || strings.ContainsAny(method, " \r\n") {
			return
		}
		s, err := New(Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		s.Bucket("b")
		_ = s.Put("b", "k", strings.NewReader("content"), nil)
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL = method, u
		if source != "" {
			r.Header.Set("X-Amz-Copy-Source", source)
		}
		w := httptest.NewRecorder()
		s.API().ServeHTTP(w, r)
		if w.Code < 200 || w.Code == 500 || w.Code > 501 {
			t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestContinueBeforeAnEmptyBody: botocore asks for it with each upload, and a client that
// waits for it in vain takes the next answer of the connection for none.
func TestContinueBeforeAnEmptyBody(t *testing.T) {
	s := newStore(t)
	s.Bucket("b")
	_, url := client(t, s)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PUT /b/empty HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n")
	answers := bufio.NewReader(conn)
	for _, want := range []int{100, 200} {
		if res, err := http.ReadResponse(answers, nil); err != nil || res.StatusCode != want {
			t.Fatalf("%+v, %v, want %d", res, err, want)
		}
	}
}
