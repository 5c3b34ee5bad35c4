package awsx

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
)

// ecrHost matches the hosts of ECR's private registries: account, region.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
var ecrHost = regexp.MustCompile(`^(\d{12})\.dkr(?:\.ecr|-ecr)(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$`)

// IsECR tells whether a registry host is one of ECR's private ones.
func IsECR(host string) bool { return ecrHost.MatchString(host) }

// Keychain logs in to ECR with the session's credentials, and to all other
// registries with what the Docker configuration has. A token serves for hours
// and is asked for once.
func (c *Config) Keychain() authn.Keychain {
	return authn.NewMultiKeychain(&ecrKeychain{config: c}, authn.DefaultKeychain)
}

type ecrKeychain struct {
	config *Config
	mu     sync.Mutex
	tokens map[string]token // by host
}

type token struct {
	authn.AuthConfig
	expires time.Time
}

// Resolve implements authn.Keychain.
func (k *ecrKeychain) Resolve(resource authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), resource)
}

// ResolveContext implements authn.ContextKeychain.
func (k *ecrKeychain) ResolveContext(ctx context.Context, resource authn.Resource) (authn.Authenticator, error) {
	host := resource.RegistryStr()
	found := ecrHost.FindStringSubmatch(host)
	if found == nil {
		return authn.Anonymous, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if have, ok := k.tokens[host]; ok && time.Until(have.expires) > time.Minute {
		return authn.FromConfig(have.AuthConfig), nil
	}
	fresh, err := k.config.login(ctx, found[2])
	if err != nil {
		return nil, fmt.Errorf("log in to %s: %w", host, explain(err))
	}
	if k.tokens == nil {
		k.tokens = map[string]token{}
	}
	k.tokens[host] = fresh
	return authn.FromConfig(fresh.AuthConfig), nil
}

func (c *Config) login(ctx context.Context, region string) (token, error) {
	answer, err := c.ecr(region).GetAuthorizationToken(ctx, nil)
	if err != nil {
		return token{}, err
	}
	if len(answer.AuthorizationData) == 0 {
		return token{}, errors.New("ECR gave no token")
	}
	data := answer.AuthorizationData[0]
	plain, err := base64.StdEncoding.DecodeString(aws.ToString(data.AuthorizationToken))
	if err != nil {
		return token{}, fmt.Errorf("ECR's token: %w", err)
	}
	user, password, ok := strings.Cut(string(plain), ":")
	if !ok {
		return token{}, errors.New("ECR's token is not user:password")
	}
	return token{authn.AuthConfig{Username: user, Password: password}, aws.ToTime(data.ExpiresAt)}, nil
}

func (c *Config) ecr(region string) *ecr.Client {
	return ecr.NewFromConfig(c.sdk, func(o *ecr.Options) { o.Region = region })
}

// DeleteImage removes an image by its digest from an ECR repository, with all
// of its tags: ECR offers no deletion in the registry's own protocol. One that
// is gone, or its repository, is no error.
func (c *Config) DeleteImage(ctx context.Context, host, repository, digest string) error {
	found := ecrHost.FindStringSubmatch(host)
	if found == nil {
		return fmt.Errorf("delete image: %s is no registry of ECR's", host)
	}
	answer, err := c.ecr(found[2]).BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{
		RegistryId: &found[1], RepositoryName: &repository,
		ImageIds: []types.ImageIdentifier{{ImageDigest: &digest}},
	})
	var noRepository *types.RepositoryNotFoundException
	if errors.As(err, &noRepository) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete image %s@%s: %w", repository, digest, explain(err))
	}
	for _, failure := range answer.Failures {
		if failure.FailureCode != types.ImageFailureCodeImageNotFound {
			return fmt.Errorf("delete image %s@%s: %s: %s", repository, digest, failure.FailureCode, aws.ToString(failure.FailureReason))
		}
	}
	return nil
}

// EmulatedRegistry sends what is meant for ECR's hosts to endpoint instead: AWS
// emulators give out repository addresses that exist in AWS alone.
func EmulatedRegistry(endpoint string, next http.RoundTripper) (http.RoundTripper, error) {
	to, err := url.Parse(endpoint)
	if err != nil || to.Host == "" {
		return nil, fmt.Errorf("registry endpoint %q: give a URL like http://127.0.0.1:5000", endpoint)
	}
	return &emulatedRegistry{to, next}, nil
}

type emulatedRegistry struct {
	to   *url.URL
	next http.RoundTripper
}

func (e *emulatedRegistry) RoundTrip(request *http.Request) (*http.Response, error) {
	if !IsECR(request.URL.Hostname()) {
		return e.next.RoundTrip(request)
	}
	redirected := request.Clone(request.Context())
	redirected.URL.Scheme, redirected.URL.Host, redirected.Host = e.to.Scheme, e.to.Host, e.to.Host
	redirected.Header.Del("Authorization") // a real token is not for an emulator
	response, err := e.next.RoundTrip(redirected)
	if response != nil {
		response.Request = request // a relative Location stays with ECR's host
	}
	return response, err
}
