// Package coldstart fetches what an app needs before it can start in a new execution environment, all of it at once:
// secrets from SSM Parameter Store, environment variables that do not fit into the function's 4 KB, and a configuration
// file. It also makes the directories that a read-only image links to, and serves credentials to the app.
//
// # Precedence
//
// A secret wins over the function's own environment, and that over the fetched one, as a .env file is read everywhere.
//
// # Credentials
//
// Lambda gives its role's credentials as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Some apps pass the
// first two to a client and forget the third. So the app gets none of them, but the two variables by which every AWS
// SDK finds a container's credentials: AWS_CONTAINER_CREDENTIALS_FULL_URI, on a loopback address, and
// AWS_CONTAINER_AUTHORIZATION_TOKEN, a random token without which the endpoint answers 403
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
//
// The endpoint gives what Lambda gave. Those variables do not change while an environment lives, and Lambda replaces the
// environment before they expire, but AWS does not document when that is. So each answer carries an Expiration one hour ahead: SDKs
// come back in time, also after a thaw. With SnapStart, Lambda gives no keys but a container endpoint of its own; the app
// inherits that as it is, and this package uses it too.
//
// # Leaves out
//
// What the app makes of the values; secrets in Secrets Manager, which Parameter Store can refer to
// (/aws/reference/secretsmanager/NAME); and refreshing while an environment runs: a new secret or configuration is seen by new environments,
// and by those that are restored from a snapshot (Preparer.Refresh).
package coldstart
