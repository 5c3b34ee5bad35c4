// Package s3 emulates private S3 buckets with two views of the same objects: the
// origin that CloudFront reads through origin access control, and the S3 REST
// API that SDKs and presigned URLs use.
//
// The origin view models: GetObject and HeadObject with content type, cache
// control, metadata, ETag, Last-Modified; single ranges; conditional requests;
// 403 AccessDenied for a key that is not there, as with no list permission; 403
// for a request that is not signed by origin access control.
//
// The API view models: buckets; PutObject, GetObject, HeadObject, DeleteObject(s),
// ListObjects and ListObjectsV2, CopyObject; multipart uploads; the response-*
// parameters; and what S3 checks of a request:
//   - its signature (Version 4), in the header or in a presigned URL, with its expiry,
//     region, headers and session token, by package sigv4;
//   - the digest of its body, by X-Amz-Content-Sha256, Content-MD5 or a checksum
//     (CRC32, CRC32C, CRC64NVME, SHA1, SHA256), in the head or the trailers; chunks'
//     signatures in aws-chunked encoding;
//   - conditions of writes and deletes, with 412, and 409 where another operation came
//     between;
//   - the CORS configuration, for preflights and answers;
//   - parts' sizes, order, tags and checksums;
//
// and the lifecycle configuration: objects expire, and multipart uploads are aborted,
// at the midnight of UTC after their days, by Config.Now. Other sub-resources are
// refused by name (501 NotImplemented).
//
// It refuses several ranges in one request as S3 does: the whole object is sent.
//
// It leaves out: versions, ACLs, bucket policies (a key of the account may do
// everything, and the distribution GetObject), encryption, replication, tagging,
// storage classes, parts that are copied, POST policies, lifecycle rules with anything
// but those two actions, and the checksums SHA512, MD5 and XXHASH.
//
// It cannot know S3's latency and request rates, how long after midnight S3 applies a
// lifecycle, which of several faults of a request S3 names first, and whether an answer
// to a refused signature has CORS headers: here each answer has them.
//
// Objects up to 256 KiB are kept in memory, up to 64 MiB in all; the rest lies in
// Config.Dir.
//
// Sources: Amazon S3 API reference (each operation, "Error responses"); Amazon S3 user
// guide ("Conditional writes", "Using CORS", "Managing the lifecycle of objects",
// "Checking object integrity"); CloudFront developer guide ("Restrict access to an
// Amazon S3 origin"); the answers of S3 that localstack/localstack has recorded
// (tests/aws/services/s3/*.snapshot.json).
package s3
