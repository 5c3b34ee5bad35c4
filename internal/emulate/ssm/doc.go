// Package ssm emulates the Parameter Store of AWS Systems Manager, as far as an app and its deployment read and write it.
//
// It models, in JSON 1.1 (X-Amz-Target: AmazonSSM.*): GetParameter, GetParameters with InvalidParameters and its limit of
// ten names, GetParametersByPath with recursion and pages of ten, PutParameter with Overwrite and versions. Parameters
// are asked for by name, by ARN, or by either with ":VERSION". A SecureString without WithDecryption is unreadable. A name
// that the policy (Config.Deny) refuses fails the whole request with AccessDeniedException, as IAM does.
//
// It refuses what it does not know by UnknownOperationException: labels, history, deletion, policies, tags and tiers
// beyond the size limits of 4 KB (standard) and 8 KB (advanced).
//
// It leaves out signatures, KMS grants, throughput limits (40 requests a second by default) and the delay after which a
// write is seen everywhere.
//
// It cannot know which names a real account's policy allows, and what the real service says of the same name twice in a
// request, which it refuses.
//
// Sources: Systems Manager API reference (GetParameter, GetParameters, GetParametersByPath, PutParameter), user guide
// ("Working with shared parameters", "About requirements and constraints for parameter names").
package ssm
