// Package s3 emulates private S3 buckets with two views of the same objects: the
// origin that CloudFront reads through origin access control, and the S3 REST
// API that SDKs and presigned URLs use.
//
// The origin view models: GetObject and HeadObject with content type, cache
// control, metadata, ETag, Last-Modified; single ranges; conditional requests;
// 403 AccessDenied for a key that is not there, as with no list permission; 403
// for a request that is not signed by origin access control. The API view
// models: buckets; PutObject, GetObject, HeadObject, DeleteObject(s), ListObjects and
// ListObjectsV2, CopyObject, multipart uploads, conditional writes, the expiry of
// presigned URLs and their response-* parameters, and bodies in aws-chunked encoding.
// Other sub-resources are refused by name (501 NotImplemented).
//
// It refuses several ranges in one request as S3 does: the whole object is sent.
//
// It leaves out: versions, ACLs, bucket policies (the grant is GetObject for the
// distribution), encryption, replication, tagging, checksums of uploads other than
// Content-MD5, parts that are copied, and signatures, which package sigv4 checks in
// front of either view.
//
// It cannot know S3's latency and request rates.
//
// Objects up to 256 KiB are kept in memory, up to 64 MiB in all; the rest lies in
// Config.Dir.
//
// Sources: Amazon S3 API reference (GetObject, Error responses), CloudFront
// developer guide ("Restrict access to an Amazon S3 origin").
package s3
