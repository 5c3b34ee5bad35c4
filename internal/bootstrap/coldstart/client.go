package coldstart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/aproorg/sluice/internal/bootstrap/httphead"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/bootstrap/uploads"
	"github.com/aproorg/sluice/internal/hint"
)

// The SDK reads answers whole, errors among them. These are the limits of what services can mean to send.
const (
	// maxParameters bounds an answer of SSM: ten parameters of at most 8 KB, whose every byte may be escaped in JSON.
	maxParameters = 1 << 20
	// maxObjects bounds an answer of S3, the largest object with it.
	maxObjects = maxConfig + 64<<10
	// maxCredentials bounds an answer of the endpoint for credentials.
	maxCredentials = 64 << 10
)

// bounded is a client whose answers end in an error at a limit, in bytes, after any compression is undone.
type bounded struct {
	*http.Client
	limit int64
}

func (b bounded) Do(req *http.Request) (*http.Response, error) {
	resp, err := b.Client.Do(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, b.limit)
	}
	return resp, err
}

// clients talk to AWS. The SDK's config package is left out: Lambda's ways to give credentials are two, and the package
// makes the binary 1.8 MB larger.
type clients struct {
	http *http.Client
	ssm  *ssm.Client
	s3   *s3.Client
}

func (cfg Config) clients() (clients, error) {
	if !cfg.fetches() {
		return clients{}, nil
	}
	if cfg.Region == "" {
		return clients{}, hint.With(errors.New("AWS_REGION is not set, so that nothing can be fetched"), "Lambda sets it")
	}
	c := clients{http: &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		TLSHandshakeTimeout:   2 * time.Second,
		ResponseHeaderTimeout: 3 * time.Second,
		MaxIdleConnsPerHost:   4,
		ForceAttemptHTTP2:     true,

		MaxResponseHeaderBytes: httphead.Max,
	}}}
	provider, err := cfg.provider(c.http)
	if err != nil {
		return clients{}, err
	}
	c.ssm = ssm.New(ssm.Options{Region: cfg.Region, Credentials: provider, HTTPClient: bounded{c.http, maxParameters}, Retryer: retryer(), BaseEndpoint: override(cfg.EndpointSSM)})
	c.s3 = s3.New(s3.Options{Region: cfg.Region, Credentials: provider, HTTPClient: bounded{c.http, maxObjects}, Retryer: retryer(), BaseEndpoint: override(cfg.EndpointS3),
		UsePathStyle: cfg.EndpointS3 != "", DisableLogOutputChecksumValidationSkipped: true})
	return c, nil
}

// UploadStore is the bucket for bodies of requests, nil where the settings have none.
func UploadStore(s settings.Settings) (*uploads.Store, error) {
	if s.Uploads.Object.Bucket == "" {
		return nil, nil
	}
	if s.AWS.Region == "" {
		return nil, hint.With(fmt.Errorf("%s is set and AWS_REGION is not", settings.UploadsS3Variable), "Lambda sets it")
	}
	// Connections are not kept: over a freeze they die.
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, TLSHandshakeTimeout: 2 * time.Second,
		ResponseHeaderTimeout: 10 * time.Second, DisableKeepAlives: true, MaxResponseHeaderBytes: httphead.Max,
	}}
	provider, err := Config{AWS: s.AWS}.provider(client)
	if err != nil {
		return nil, err
	}
	endpoint := s.ColdStart.EndpointS3
	return &uploads.Store{Bucket: s.Uploads.Object.Bucket, Client: s3.New(s3.Options{
		Region: s.AWS.Region, Credentials: provider, HTTPClient: client, Retryer: retryer(), BaseEndpoint: override(endpoint), UsePathStyle: endpoint != "",
		DisableLogOutputChecksumValidationSkipped: true, RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})}, nil
}

func (c clients) close() {
	if c.http != nil {
		c.http.CloseIdleConnections() // a frozen environment must not keep sockets that will be dead
	}
}

func override(endpoint string) *string {
	if endpoint == "" {
		return nil
	}
	return &endpoint
}

// retryer waits between attempts with full jitter, at most 1 s each, for hundreds of environments may start together.
func retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 6
		o.MaxBackoff = time.Second
	})
}

func (cfg Config) provider(client *http.Client) (aws.CredentialsProvider, error) {
	switch {
	case cfg.Keys.ID != "":
		return credentials.NewStaticCredentialsProvider(cfg.Keys.ID, cfg.Keys.Secret.Reveal(), cfg.Keys.Token.Reveal()), nil
	case cfg.ContainerURI != "":
		return aws.NewCredentialsCache(endpointcreds.New(cfg.ContainerURI, func(o *endpointcreds.Options) {
			o.HTTPClient, o.AuthorizationToken = bounded{client, maxCredentials}, cfg.ContainerToken.Reveal()
		})), nil
	}
	return nil, hint.With(errors.New("there are no credentials: neither AWS_ACCESS_KEY_ID nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set"), "Lambda sets one of them for the function's role")
}

// expired are what SSM and S3 call credentials that are no longer good.
var expired = []string{"ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken"}

// reason is the API's own answer, without the SDK's frame around it.
func reason(ctx context.Context, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		more := ""
		if slices.Contains(expired, api.ErrorCode()) {
			more = "; the credentials of the function's role have expired or were revoked: a new environment gets others"
		}
		return fmt.Errorf("%s: %s%s", api.ErrorCode(), api.ErrorMessage(), more)
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return fmt.Errorf("the answer is larger than %d bytes", large.Limit)
	}
	return late(ctx, err)
}

// object reads an object of at most limit bytes.
func (c clients) object(ctx context.Context, o settings.Object, limit int64) ([]byte, error) {
	out, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.Bucket, Key: &o.Key})
	if err != nil {
		failed := fmt.Errorf("get %s: %w", o, reason(ctx, err))
		switch uploads.ErrorCode(err) {
		case "NoSuchKey", "NoSuchBucket":
			failed = hint.With(failed, "upload it, or correct the setting")
		case "AccessDenied":
			failed = hint.With(failed, "either it does not exist, or the function's role lacks s3:GetObject on it")
		}
		return nil, failed
	}
	defer out.Body.Close()
	data, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o, late(ctx, err))
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: it is larger than %d bytes", o, limit)
	}
	return data, nil
}
