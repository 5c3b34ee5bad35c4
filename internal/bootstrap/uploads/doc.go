// Package uploads takes the body of a request by way of S3, where it is larger than Lambda takes: 6 MB as JSON, of which some 4.4 MB are left
// for a body (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). The client asks for a ticket, puts the body into S3, and
// sends the request itself without a body, with the ticket. The app gets the request that it always was, as a stream.
//
// A ticket is for one request: its method, URI, size, content type, object, expiry and user stand in it, under an HMAC-SHA256 (RFC 2104) whose key
// is derived from a secret by HKDF (RFC 5869). It is good once: who redeems it writes a claim beside the object, which S3 lets one succeed in
// (If-None-Match: *, https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
//
// It leaves out who the user is, for which its caller asks the app. And it leaves claims, and bodies whose request never came, to a lifecycle
// rule of the bucket.
package uploads
