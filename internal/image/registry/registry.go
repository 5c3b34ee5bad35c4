// Package registry reaches container registries over networks that stall, break and
// refuse: an interrupted download goes on where it broke, a broken upload starts
// over, a refusal comes with what a person can do about it.
//
// It leaves out which image is moved: packages image and source say that.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/aproorg/sluice/internal/hint"
)

// Access says how to reach registries. The zero value reads the Docker
// configuration's credentials and has sensible limits.
type Access struct {
	// Keychain gives credentials by registry.
	Keychain authn.Keychain
	// Transport carries the requests; remote.DefaultTransport when nil.
	Transport http.RoundTripper
	// Jobs is how many layers move at once; 4 when zero.
	Jobs int
	// Stall ends a request on which no byte moved for so long; it is then
	// tried again. 2 minutes when zero.
	Stall time.Duration
	// Retries is how often a broken transfer starts over; 5 when zero.
	Retries int
	// Pause is the wait before the first retry, doubled by each; 1 s when zero.
	Pause time.Duration
}

// Options are the registry client's. A meter, if not nil, counts what is sent.
func (a Access) Options(ctx context.Context, meter *Meter) []remote.Option {
	keychain := a.Keychain
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(keychain),
		remote.WithTransport(a.transport(meter)),
		remote.WithJobs(a.AtOnce()),
		remote.WithUserAgent("sluice"),
		remote.WithRetryPredicate(retryable),
		remote.WithRetryBackoff(remote.Backoff{
			Duration: orDefault(a.Pause, time.Second), Factor: 2, Jitter: 0.1, Steps: orDefault(a.Retries, 5) + 1,
		}),
	}
}

// AtOnce is how many layers move at once.
func (a Access) AtOnce() int { return orDefault(a.Jobs, 4) }

// transport is, from the network up: the counter, the limit of answers that hold no
// layer, the watch over transfers that stall, and the resuming of downloads that break.
func (a Access) transport(meter *Meter) http.RoundTripper {
	next := a.Transport
	if next == nil {
		next = remote.DefaultTransport
	}
	if meter != nil {
		next = meter.over(next)
	}
	next = &watch{next: &brief{next}, limit: orDefault(a.Stall, 2*time.Minute)}
	return &resume{next: next, tries: orDefault(a.Retries, 5), pause: orDefault(a.Pause, time.Second)}
}

func orDefault[T int | time.Duration](value, fallback T) T {
	if value == 0 {
		return fallback
	}
	return value
}

// retryable tells a broken connection from an answer. It says nothing of a
// context that has ended: that error is none of these.
func retryable(err error) bool {
	var temporary interface{ Temporary() bool }
	var timeout net.Error
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.Is(err, errStalled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed):
		return true
	case errors.As(err, &temporary):
		return temporary.Temporary()
	}
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Explain adds what a person can do to the registry's usual refusals.
func Explain(err error) error {
	var refusal *transport.Error
	if !errors.As(err, &refusal) {
		return err
	}
	for _, detail := range refusal.Errors {
		switch detail.Code {
		case transport.NameUnknownErrorCode:
			return hint.With(err, "the repository does not exist: create it first")
		case transport.ManifestUnknownErrorCode:
			return hint.With(err, "the repository has no such tag or digest")
		}
	}
	switch refusal.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return hint.With(err, "the registry wants other credentials: docker login, or for ECR an AWS profile that may use it")
	case http.StatusNotFound:
		return hint.With(err, "no such repository, tag or digest")
	}
	return err
}

// Delete removes the manifest that ref names by digest from a registry. One
// that is not there is no error. ECR does not offer this: see package awsx.
func (a Access) Delete(ctx context.Context, ref string) error {
	digest, err := name.NewDigest(ref)
	if err != nil {
		return fmt.Errorf("delete image %s: %w", ref, err)
	}
	err = remote.Delete(digest, a.Options(ctx, nil)...)
	if err != nil && !IsStatus(err, http.StatusNotFound) {
		return fmt.Errorf("delete image %s: %w", ref, Explain(err))
	}
	return nil
}

// Untag removes a tag where the registry lets one: by the specification a tag
// whose manifest was deleted may stay, and its removal may be refused.
func (a Access) Untag(ctx context.Context, ref string) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return fmt.Errorf("remove tag %s: %w", ref, err)
	}
	err = remote.Delete(tag, a.Options(ctx, nil)...)
	for _, refusal := range []int{http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed} {
		if IsStatus(err, refusal) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("remove tag %s: %w", ref, Explain(err))
	}
	return nil
}

// Exists tells whether a registry holds the manifest that ref names.
func (a Access) Exists(ctx context.Context, ref string) (bool, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return false, fmt.Errorf("look for image %s: %w", ref, err)
	}
	_, err = remote.Head(parsed, a.Options(ctx, nil)...)
	if IsStatus(err, http.StatusNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for image %s: %w", ref, Explain(err))
	}
	return true, nil
}

// IsStatus tells whether err is a registry's answer with the status.
func IsStatus(err error, status int) bool {
	var refusal *transport.Error
	return errors.As(err, &refusal) && refusal.StatusCode == status
}
