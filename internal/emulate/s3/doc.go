// Package s3 emulates private S3 buckets with two views of the same objects: the
// origin that CloudFront reads through origin access control, and the S3 REST
// API that SDKs and presigned URLs use.
//
// The origin view models: GetObject and HeadObject with content type, cache
// control, metadata, ETag, Last-Modified; single ranges; conditional requests;
// 403 AccessDenied for a key that is not there, as with no list permission; 403
// for a request that is not signed by origin access control. The API view is
// github.com/johannesboyne/gofakes3 over this package's store: PutObject,
// GetObject, HeadObject, DeleteObject(s), ListObjects, CopyObject, multipart
// uploads, conditional writes, presigned URLs with their expiry, and bodies in
// aws-chunked encoding.
//
// It refuses several ranges in one request as S3 does: the whole object is sent.
//
// It leaves out: versions, ACLs, bucket policies (the grant is GetObject for the
// distribution), encryption, replication, tagging, checksums of uploads, and
// signatures, which package sigv4 checks in front of either view. The ETag of a multipart upload is the
// MD5 of the whole object, without S3's "-N".
//
// It cannot know S3's latency and request rates.
//
// Objects up to 256 KiB are kept in memory, up to 64 MiB in all; the rest lies in
// Config.Dir.
//
// Sources: Amazon S3 API reference (GetObject, Error responses), CloudFront
// developer guide ("Restrict access to an Amazon S3 origin").
package s3
