// Package awsx is where Sluice's tool meets the AWS SDK: a bucket for package
// site, CloudFront's invalidations, a REST API's deployments, ECR's login and
// deletion, a function's versions, a domain's certificate. Nothing else of the tool imports the SDK, so that
// all else runs and is tested without it.
//
// Errors are the SDK's, wrapped once with what was attempted, and for what a
// person can mend, with a hint. The SDK itself retries and signs.
package awsx

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/aproorg/sluice/internal/hint"
)

// Settings choose an account and where it is. The zero value takes all from the
// environment and the shared configuration files, as the AWS CLI does.
type Settings struct {
	Region  string
	Profile string
	// Endpoint replaces all of AWS's addresses, for emulators.
	Endpoint string
}

// Config is a session with AWS. It is safe for concurrent use.
type Config struct {
	sdk      aws.Config
	emulated bool
}

// Load finds credentials and a region. It sends nothing yet.
func Load(ctx context.Context, settings Settings) (*Config, error) {
	options := []func(*config.LoadOptions) error{config.WithRetryMaxAttempts(5)}
	if settings.Region != "" {
		options = append(options, config.WithRegion(settings.Region))
	}
	if settings.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(settings.Profile))
	}
	if settings.Endpoint != "" {
		options = append(options, config.WithBaseEndpoint(settings.Endpoint))
	}
	sdk, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("find AWS credentials: %w", err)
	}
	if sdk.Region == "" {
		return nil, hint.With(errors.New("no AWS region"), "set AWS_REGION, or region in the profile")
	}
	if sdk.HTTPClient == nil { // then each client would make its own
		sdk.HTTPClient = awshttp.NewBuildableClient()
	}
	sdk.HTTPClient = bounded{sdk.HTTPClient}
	return &Config{sdk: sdk, emulated: sdk.BaseEndpoint != nil}, nil
}

// maxAnswer bounds an answer of AWS in bytes, after any compression is undone: the SDK
// reads all but objects whole, errors among them. A page of a list has 1,000 names.
const maxAnswer = maxObject + 1<<20

// bounded is a client whose answers end in an error at the limit.
type bounded struct{ aws.HTTPClient }

func (b bounded) Do(request *http.Request) (*http.Response, error) {
	answer, err := b.HTTPClient.Do(request)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	}
	return answer, err
}

// Region is the session's.
func (c *Config) Region() string { return c.sdk.Region }

// Account asks STS whose credentials these are. Everyone may ask that.
func (c *Config) Account(ctx context.Context) (string, error) {
	answer, err := sts.NewFromConfig(c.sdk).GetCallerIdentity(ctx, nil)
	if err != nil {
		return "", fmt.Errorf("ask whose credentials these are: %w", explain(err))
	}
	return aws.ToString(answer.Account), nil
}

// status is the HTTP status of an error of the SDK, or 0.
func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// code is AWS's name for an error, or "".
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// explain adds what to do about the refusals that every service has.
func explain(err error) error {
	switch code(err) {
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return hint.With(err, "the credentials have run out: log in again")
	case "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch":
		return hint.With(err, "AWS does not know these credentials")
	}
	if status(err) == http.StatusForbidden {
		return hint.With(err, "these credentials lack the permission")
	}
	return err
}

// Emulated tells whether an emulator answers in AWS's place.
func (c *Config) Emulated() bool { return c.emulated }
