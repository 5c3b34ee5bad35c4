package s3

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestObjectsExpire: by prefix, at the midnight after so many days, with the head that says so; and uploads that nobody completes.
func TestObjectsExpire(t *testing.T) {
	// The example of the user guide: made on January 15 at 10:30, three days: January 19, 00:00.
	clock := &stopped{}
	clock.set(time.Date(2014, 1, 15, 10, 30, 0, 0, time.UTC))
	s, err := New(Config{Dir: t.TempDir(), Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.Bucket("b")
	c, _ := client(t, s)
	name := aws.String("b")
	rule := func(id, prefix string, days, abort int32) types.LifecycleRule {
		r := types.LifecycleRule{ID: &id, Status: "Enabled", Filter: &types.LifecycleRuleFilter{Prefix: &prefix}}
		if days > 0 {
			r.Expiration = &types.LifecycleExpiration{Days: &days}
		}
		if abort > 0 {
			r.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: &abort}
		}
		return r
	}
	if _, err := c.GetBucketLifecycleConfiguration(t.Context(), &sdk.GetBucketLifecycleConfigurationInput{Bucket: name}); codeOf(err) != "NoSuchLifecycleConfiguration" {
		t.Error(err)
	}
	off := rule("off", "", 1, 1)
	off.Status = "Disabled"
	rules := []types.LifecycleRule{rule("long", "staging/", 30, 0), rule("uploads", "staging/", 3, 1), off}
	if _, err := c.PutBucketLifecycleConfiguration(t.Context(), &sdk.PutBucketLifecycleConfigurationInput{Bucket: name, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules}}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetBucketLifecycleConfiguration(t.Context(), &sdk.GetBucketLifecycleConfigurationInput{Bucket: name})
	if err != nil || len(got.Rules) != 3 || *got.Rules[1].ID != "uploads" || *got.Rules[1].Expiration.Days != 3 || *got.Rules[1].AbortIncompleteMultipartUpload.DaysAfterInitiation != 1 || *got.Rules[1].Filter.Prefix != "staging/" || got.Rules[2].Status != "Disabled" {
		t.Errorf("%+v, %v", got, err)
	}
	const expiry = `expiry-date="Sun, 19 Jan 2014 00:00:00 GMT", rule-id="uploads"`
	put := func(key string) string {
		out, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: name, Key: &key, Body: strings.NewReader("x")})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(out.Expiration)
	}
	if got := put("staging/k"); got != expiry {
		t.Errorf("put: %s", got)
	}
	if got := put("kept/k"); got != "" {
		t.Errorf("what no rule is for: %s", got)
	}
	if head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: name, Key: aws.String("staging/k")}); err != nil || aws.ToString(head.Expiration) != expiry {
		t.Errorf("head: %+v %v", head, err)
	}
	up, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: name, Key: aws.String("staging/parts")})
	if err != nil || !aws.ToTime(up.AbortDate).Equal(time.Date(2014, 1, 17, 0, 0, 0, 0, time.UTC)) || aws.ToString(up.AbortRuleId) != "uploads" {
		t.Fatalf("%+v %v", up, err)
	}
	part := &sdk.UploadPartInput{Bucket: name, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("part")}
	if _, err := c.UploadPart(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		at              time.Time
		object, uploads int
	}{
		{time.Date(2014, 1, 16, 23, 59, 59, 0, time.UTC), 1, 1}, {time.Date(2014, 1, 17, 0, 0, 0, 0, time.UTC), 1, 0},
		{time.Date(2014, 1, 18, 23, 59, 59, 0, time.UTC), 1, 0}, {time.Date(2014, 1, 19, 0, 0, 0, 0, time.UTC), 0, 0},
	} {
		clock.set(step.at)
		uploads, err := c.ListMultipartUploads(t.Context(), &sdk.ListMultipartUploadsInput{Bucket: name})
		if err != nil || len(uploads.Uploads) != step.uploads {
			t.Errorf("%s: %d uploads, %v", step.at, len(uploads.Uploads), err)
		}
		objects, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: name, Prefix: aws.String("staging/")})
		if err != nil || len(objects.Contents) != step.object {
			t.Errorf("%s: %d objects, %v", step.at, len(objects.Contents), err)
		}
	}
	part.Body = strings.NewReader("part")
	if _, err := c.UploadPart(t.Context(), part); codeOf(err) != "NoSuchUpload" {
		t.Errorf("a part of what is aborted: %v", err)
	}
	if _, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: name, Key: aws.String("kept/k")}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteBucketLifecycle(t.Context(), &sdk.DeleteBucketLifecycleInput{Bucket: name}); err != nil {
		t.Error(err)
	}
	if got := put("staging/k"); got != "" {
		t.Errorf("without a lifecycle: %s", got)
	}
}

func TestMidnightAfter(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct{ made, want time.Time }{
		{day, day.AddDate(0, 0, 1)}, {day.Add(time.Second), day.AddDate(0, 0, 2)}, {day.Add(24*time.Hour - time.Second), day.AddDate(0, 0, 2)},
		{day.In(time.FixedZone("east", 7*3600)), day.AddDate(0, 0, 1)},
	} {
		if got := midnightAfter(test.made, 1); !got.Equal(test.want) {
			t.Errorf("%s: %s, want %s", test.made, got, test.want)
		}
	}
}

// TestLifecyclesThatS3Refuses, with the answers that localstack has recorded of S3 (test_put_bucket_lifecycle_conf_exc).
func TestLifecyclesThatS3Refuses(t *testing.T) {
	s := newStore(t)
	s.Bucket("b")
	_, url := client(t, s)
	const days = "<Expiration><Days>7</Days></Expiration>"
	rule := func(text string) string {
		return "<LifecycleConfiguration><Rule>" + text + "</Rule></LifecycleConfiguration>"
	}
	for _, test := range []struct {
		name, document string
		status         int
		code           string
	}{
		{"no filter", rule("<ID>a</ID><Status>Enabled</Status>" + days), 400, "MalformedXML"},
		{"two prefixes", rule("<ID>a</ID><Prefix>x</Prefix><Filter><Prefix>x</Prefix></Filter><Status>Enabled</Status>" + days), 400, "MalformedXML"},
		{"and, and beside it", rule("<ID>a</ID><Filter><And><Prefix>x</Prefix></And><Prefix>y</Prefix></Filter><Status>Enabled</Status>" + days), 400, "MalformedXML"},
		{"no midnight", rule("<ID>a</ID><Filter/><Status>Enabled</Status><Expiration><Date>2026-01-01T12:00:00Z</Date></Expiration>"), 400, "InvalidArgument"},
		{"days and a date", rule("<ID>a</ID><Filter/><Status>Enabled</Status><Expiration><Days>1</Days><Date>2026-01-01T00:00:00Z</Date></Expiration>"), 400, "MalformedXML"},
		{"no day", rule("<ID>a</ID><Filter/><Status>Enabled</Status><Expiration><Days>0</Days></Expiration>"), 400, "InvalidArgument"},
		{"no status", rule("<ID>a</ID><Filter/><Status>On</Status>" + days), 400, "MalformedXML"},
		{"no action", rule("<ID>a</ID><Filter/><Status>Enabled</Status>"), 400, "InvalidRequest"},
		{"no rules", "<LifecycleConfiguration></LifecycleConfiguration>", 400, "MalformedXML"},
		{"another document", "<CORSConfiguration></CORSConfiguration>", 400, "MalformedXML"},
		{"twice", "<LifecycleConfiguration><Rule><ID>a</ID><Filter/><Status>Enabled</Status>" + days + "</Rule><Rule><ID>a</ID><Filter/><Status>Enabled</Status>" + days + "</Rule></LifecycleConfiguration>", 400, "InvalidArgument"},
		{"abort by size", rule("<ID>a</ID><Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), 400, "InvalidRequest"},
		{"tags are not here", rule("<ID>a</ID><Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter><Status>Enabled</Status>" + days), 501, "NotImplemented"},
		{"transitions are not here", rule("<ID>a</ID><Filter/><Status>Enabled</Status><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"), 501, "NotImplemented"},
		{"by size", rule("<Filter><And><Prefix>x</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><Status>Enabled</Status>" + days), 200, ""},
		{"of old", rule("<ID>a</ID><Prefix></Prefix><Status>Enabled</Status>" + days), 200, ""},
	} {
		if status, body := send(t, "PUT", url+"/b?lifecycle", test.document); status != test.status || !strings.Contains(body, test.code) {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
	}
	if status, body := send(t, "PUT", url+"/none?lifecycle", rule("<ID>a</ID><Filter/><Status>Enabled</Status>"+days)); !refused(status, body, http.StatusNotFound, "NoSuchBucket") {
		t.Errorf("%d %s", status, body)
	}
}

// FuzzConfigurations: whatever the document, it is S3's answer, and what is taken can be read again.
func FuzzConfigurations(f *testing.F) {
	f.Add("cors", "<CORSConfiguration><CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>https://*.example</AllowedOrigin><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>", "https://a.example")
	f.Add("lifecycle", "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>a</ID><Filter><Prefix>k</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>", "")
	f.Add("lifecycle", "<LifecycleConfiguration><Rule><Filter><And><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter><Status>Disabled</Status><Expiration><Date>2026-01-01T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>", "*")
	f.Fuzz(func(t *testing.T, kind, document, origin string) {
		if kind != "cors" && kind != "lifecycle" {
			return
		}
		s, err := New(Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		s.Bucket("b")
		_ = s.Put("b", "k", strings.NewReader("content"), nil)
		ask := func(method, target, body string) (int, string) {
			w := recorded(s.API(), method, target, body, "Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "content-type, x-amz-meta-a")
			if w.Code < 200 || w.Code == 500 || w.Code > 501 {
				t.Errorf("%s %s with %q: %d %s", method, target, document, w.Code, w.Body)
			}
			return w.Code, w.Body.String()
		}
		status, _ := ask("PUT", "/b?"+kind, document)
		if status == 200 {
			status, text := ask("GET", "/b?"+kind, "")
			if status != 200 {
				t.Errorf("%q was taken, and is not there: %d", document, status)
			}
			if status, body := ask("PUT", "/b?"+kind, text); status != 200 {
				t.Errorf("%q is given, and not taken: %d %s", text, status, body)
			}
		}
		ask("OPTIONS", "/b/k", "")
		ask("GET", "/b/k", "")
		ask("PUT", "/b/k2", "x")
		ask("POST", "/b/k3?uploads", "")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// ExampleStore_SetLifecycle deletes what is below a prefix after a day.
func ExampleStore_SetLifecycle() {
	s, err := New(Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	s.Bucket("files")
	day, prefix := 1, "staging/"
	fmt.Println(s.SetLifecycle("files", []LifecycleRule{{Status: "Enabled", Filter: &LifecycleFilter{Prefix: &prefix}, Expiration: &LifecycleExpiration{Days: &day}}}))
	// Output: <nil>
}
