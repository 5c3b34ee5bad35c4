package awsx

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/site"
)

// Bucket is an S3 bucket as package site wants it.
type Bucket struct {
	client *s3.Client
	name   string
	owner  *string
	region string
}

var _ site.Store = (*Bucket)(nil)

// Bucket returns the bucket called name. If owner, an account, is given, S3
// refuses each request to a bucket of somebody else's: a name that was given up
// can be anyone's the next day.
func (c *Config) Bucket(name, owner string) *Bucket {
	client := s3.NewFromConfig(c.sdk, func(o *s3.Options) {
		// Emulators know no bucket's own host name.
		o.UsePathStyle = c.emulated
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	bucket := &Bucket{client: client, name: name, region: c.sdk.Region}
	if owner != "" {
		bucket.owner = aws.String(owner)
	}
	return bucket
}

// Check asks for the bucket itself. Its three answers besides yes are a bucket
// of another region (301), of another owner or without permission (403), none.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
func (b *Bucket) Check(ctx context.Context) error {
	answer, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name, ExpectedBucketOwner: b.owner})
	if err == nil {
		return b.checkRegion(aws.ToString(answer.BucketRegion))
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		if err := b.checkRegion(response.Response.Header.Get("X-Amz-Bucket-Region")); err != nil {
			return err
		}
	}
	switch status(err) {
	case http.StatusNotFound:
		return absent{"bucket " + b.name}
	case http.StatusForbidden:
		return fmt.Errorf("bucket %s: it is another account's, or these credentials lack s3:ListBucket: %w", b.name, err)
	}
	return fmt.Errorf("bucket %s: %w", b.name, explain(err))
}

// absent is an fs.ErrNotExist without its text, which speaks of files.
type absent struct{ what string }

func (a absent) Error() string { return a.what + " does not exist" }

// Is tells errors.Is that it is an fs.ErrNotExist.
func (a absent) Is(target error) bool { return target == fs.ErrNotExist }

func (b *Bucket) checkRegion(region string) error {
	if region == "" || region == b.region {
		return nil
	}
	return hint.With(fmt.Errorf("bucket %s is in %s, not in %s", b.name, region, b.region), "set the region to the bucket's")
}

// List implements site.Store, 1,000 objects to a request.
func (b *Bucket) List(ctx context.Context) ([]site.Object, error) {
	var objects []site.Object
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name, ExpectedBucketOwner: b.owner})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("bucket %s: %w", b.name, explain(err))
		}
		for _, object := range page.Contents {
			objects = append(objects, site.Object{Key: aws.ToString(object.Key), Size: aws.ToInt64(object.Size), ETag: etag(object.ETag)})
		}
	}
	return objects, nil
}

// Has tells whether the bucket, which must be there, has the object. It needs no more
// than s3:ListBucket.
func (b *Bucket) Has(ctx context.Context, key string) (bool, error) {
	if err := b.Check(ctx); err != nil {
		return false, err
	}
	page, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, ExpectedBucketOwner: b.owner,
		Prefix: &key, MaxKeys: aws.Int32(1)}) // the key itself comes first among those that begin with it
	if err != nil {
		return false, fmt.Errorf("bucket %s: %w", b.name, explain(err))
	}
	return len(page.Contents) > 0 && aws.ToString(page.Contents[0].Key) == key, nil
}

// maxObject bounds what Get reads: releases of 100,000 files are smaller.
const maxObject = 64 << 20

// Get implements site.Store.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, string, error) {
	answer, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, ExpectedBucketOwner: b.owner})
	if status(err) == http.StatusNotFound {
		return nil, "", absent{"bucket " + b.name + ": " + key}
	}
	if err != nil {
		return nil, "", fmt.Errorf("bucket %s: %w", b.name, explain(err))
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxObject+1))
	if err == nil && len(content) > maxObject {
		err = fmt.Errorf("is over %d bytes", maxObject)
	}
	return content, etag(answer.ETag), err
}

// Put implements site.Store. S3 compares the content with the SHA-256 given, so
// that neither the network nor a file changed meanwhile goes unnoticed.
func (b *Bucket) Put(ctx context.Context, put site.Put) (string, error) {
	sum, err := hex.DecodeString(put.SHA256)
	if err != nil {
		return "", err
	}
	input := &s3.PutObjectInput{
		Bucket: &b.name, Key: &put.Key, Body: put.Body, ContentLength: &put.Size, ExpectedBucketOwner: b.owner,
		ContentType: &put.Headers.ContentType, CacheControl: &put.Headers.CacheControl,
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum)),
	}
	switch {
	case put.IfAbsent:
		input.IfNoneMatch = aws.String("*")
	case put.IfMatch != "":
		input.IfMatch = aws.String(`"` + put.IfMatch + `"`)
	}
	answer, err := b.client.PutObject(ctx, input)
	if (put.IfAbsent || put.IfMatch != "") && conflict(err) {
		return "", fmt.Errorf("bucket %s: %w", b.name, site.ErrConflict)
	}
	if err != nil {
		return "", fmt.Errorf("bucket %s: %w", b.name, explain(err))
	}
	return etag(answer.ETag), nil
}

// conflict covers S3's three answers to a condition that does not hold.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func conflict(err error) bool {
	switch status(err) {
	case http.StatusPreconditionFailed, http.StatusConflict, http.StatusNotFound:
		return true
	}
	return false
}

// Copy implements site.Store. S3 takes sources up to 5 GB in one request.
func (b *Bucket) Copy(ctx context.Context, from, to string, headers site.Headers) (string, error) {
	parts := strings.Split(from, "/")
	for n, part := range parts {
		parts[n] = url.PathEscape(part)
	}
	answer, err := b.client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &b.name, Key: &to, CopySource: aws.String(b.name + "/" + strings.Join(parts, "/")),
		ExpectedBucketOwner: b.owner, ExpectedSourceBucketOwner: b.owner,
		ContentType: &headers.ContentType, CacheControl: &headers.CacheControl,
		MetadataDirective: types.MetadataDirectiveReplace,
	})
	if err != nil {
		return "", fmt.Errorf("bucket %s: copy %s: %w", b.name, from, explain(err))
	}
	return etag(answer.CopyObjectResult.ETag), nil
}

// batch is how many keys one DeleteObjects takes.
const batch = 1000

// Delete implements site.Store.
func (b *Bucket) Delete(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		n := min(batch, len(keys))
		objects := make([]types.ObjectIdentifier, n)
		for i := range objects {
			objects[i].Key = &keys[i]
		}
		answer, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &b.name, ExpectedBucketOwner: b.owner,
			Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return fmt.Errorf("bucket %s: delete %d objects: %w", b.name, n, explain(err))
		}
		for _, failed := range answer.Errors {
			return fmt.Errorf("bucket %s: delete %s: %s: %s", b.name,
				aws.ToString(failed.Key), aws.ToString(failed.Code), aws.ToString(failed.Message))
		}
		keys = keys[n:]
	}
	return nil
}

func etag(quoted *string) string { return strings.Trim(aws.ToString(quoted), `"`) }
