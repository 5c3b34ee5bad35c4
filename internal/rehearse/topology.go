package rehearse

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/stack"
)

// stack is the topology to run: a copy of the configured one, changed as the
// caller wants.
func (c Config) stack() (*stack.Stack, error) {
	base := c.Stack
	if base == nil {
		var err error
		if base, err = stack.Default(); err != nil {
			return nil, fmt.Errorf("read the embedded stack: %w", err)
		}
	}
	s := *base
	if c.MemorySize != 0 {
		s.Function.MemorySize = c.MemorySize
	}
	if c.Timeout != 0 {
		s.Function.Timeout = c.Timeout
	}
	switch c.Start {
	case StartOnDemand:
		s.Function.SnapStart = ""
	case StartSnapStart:
		s.Function.SnapStart = stack.SnapStartVersions
	}
	if s.Function.SnapStart == stack.SnapStartVersions {
		s.Function.ProvisionedConcurrency = 0
	}
	s.Function.Environment = maps.Clone(s.Function.Environment)
	agreeOnSecrets(&s)
	if c.TransferMode != "" {
		s.RestAPI.Resources = transferring(s.RestAPI.Resources, c.TransferMode)
	}
	routes := c.Routes
	if len(routes) == 0 && c.Site == nil {
		routes = []string{"/*"}
		s.Distribution.DefaultRootObject = "" // there is no bucket to have it
	}
	if len(routes) > 0 {
		if err := reroute(&s, routes); err != nil {
			return nil, err
		}
	}
	if c.App.Uploads != nil {
		if err := withUploads(&s); err != nil {
			return nil, err
		}
	}
	return &s, nil
}

// transferring is a copy of the resources whose proxy integrations have a response
// transfer mode, and no longer timeout than API Gateway allows for it.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
func transferring(resources []stack.Resource, mode string) []stack.Resource {
	resources = slices.Clone(resources)
	for i := range resources {
		resources[i].Methods = slices.Clone(resources[i].Methods)
		for j := range resources[i].Methods {
			integration := &resources[i].Methods[j].Integration
			if integration.Type != stack.IntegrationProxy {
				continue
			}
			integration.ResponseTransferMode = mode
			if mode == stack.TransferBuffered {
				integration.Timeout = min(integration.Timeout, 29*time.Second)
			}
		}
	}
	return resources
}

// apiKeyHeader is the header in which the distribution brings the API's key.
const apiKeyHeader = "X-Api-Key"

// agreeOnSecrets gives distribution and function one origin secret, and distribution
// and API one key, where a plan cannot know them yet: Terraform makes them during apply.
func agreeOnSecrets(s *stack.Stack) {
	s.Distribution.Origins = slices.Clone(s.Distribution.Origins)
	for i, o := range s.Distribution.Origins {
		headers := slices.Clone(o.CustomHeaders)
		for j, h := range headers {
			verify, key := strings.EqualFold(h.Name, settings.OriginVerifyHeader), strings.EqualFold(h.Name, apiKeyHeader)
			if h.Value == "" && (verify || key) {
				h.Value = rand.Text()
				headers[j] = h
			}
			if key && s.RestAPI.APIKey == "" {
				s.RestAPI.APIKey = h.Value
			}
			if verify && s.Function.Environment[settings.OriginSecretVariable] == "" {
				if s.Function.Environment == nil {
					s.Function.Environment = map[string]string{}
				}
				s.Function.Environment[settings.OriginSecretVariable] = h.Value
			}
		}
		s.Distribution.Origins[i].CustomHeaders = headers
	}
}

// reroute replaces the API's paths, in the distribution and in the REST API, by
// copies of the first that is there.
func reroute(s *stack.Stack, patterns []string) error {
	behavior, err := apiBehavior(s)
	if err != nil {
		return err
	}
	methods, err := proxyMethods(s)
	if err != nil {
		return err
	}
	s.Distribution.OrderedCacheBehaviors, s.RestAPI.Resources = nil, nil
	for _, pattern := range patterns {
		if err := addRoute(s, pattern, behavior, methods); err != nil {
			return err
		}
	}
	return nil
}

// addRoute adds a behavior for a pattern, and the REST resources that it needs.
func addRoute(s *stack.Stack, pattern string, behavior stack.CacheBehavior, methods []stack.Method) error {
	paths, err := resourcePaths(pattern)
	if err != nil {
		return err
	}
	behavior.PathPattern = pattern
	s.Distribution.OrderedCacheBehaviors = append(s.Distribution.OrderedCacheBehaviors, behavior)
	for _, path := range paths {
		if !slices.ContainsFunc(s.RestAPI.Resources, func(r stack.Resource) bool { return r.Path == path }) {
			s.RestAPI.Resources = append(s.RestAPI.Resources, stack.Resource{Address: fmt.Sprintf("route %s (%s)", pattern, path), Path: path, Methods: methods})
		}
	}
	return nil
}

func apiBehavior(s *stack.Stack) (stack.CacheBehavior, error) {
	for _, b := range append(slices.Clone(s.Distribution.OrderedCacheBehaviors), s.Distribution.DefaultCacheBehavior) {
		for _, o := range s.Distribution.Origins {
			if o.OriginID == b.TargetOriginID && !o.Bucket {
				return b, nil
			}
		}
	}
	return stack.CacheBehavior{}, errors.New("the stack has no behavior that leads to an API, so that there is none to copy for the routes")
}

func proxyMethods(s *stack.Stack) ([]stack.Method, error) {
	for _, r := range s.RestAPI.Resources {
		for _, m := range r.Methods {
			if m.Integration.Type == stack.IntegrationProxy {
				return r.Methods, nil
			}
		}
	}
	return nil, errors.New("the stack has no proxy integration, so that there is none to copy for the routes")
}

// resourcePaths are the REST resources that a path pattern needs: for /api/* the
// proxy resource below /api, for /* also the root, for /health itself.
func resourcePaths(pattern string) ([]string, error) {
	switch fixed, rest, wild := strings.Cut(pattern, "*"); {
	case !strings.HasPrefix(pattern, "/"):
		return nil, hint.With(fmt.Errorf("route %q does not begin with /", pattern), "such as /api/* or /health")
	case strings.Contains(pattern, "?"), wild && (rest != "" || !strings.HasSuffix(fixed, "/")):
		return nil, hint.With(fmt.Errorf("route %q: API Gateway has no resource for it", pattern), "a * may only be the last segment, as in /api/*")
	case !wild:
		return []string{pattern}, nil
	case fixed == "/":
		return []string{"/", "/{proxy+}"}, nil
	default:
		return []string{fixed + "{proxy+}"}, nil
	}
}

// joinClose closes what a failure leaves open.
func joinClose(err error, c io.Closer) error { return errors.Join(err, c.Close()) }
