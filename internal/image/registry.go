package image

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

// options are the registry client's. A meter, if given, counts what is sent.
func (r Registry) options(ctx context.Context, meter *meter) []remote.Option {
	keychain := r.Keychain
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(keychain),
		remote.WithTransport(r.transport(meter)),
		remote.WithJobs(orDefault(r.Jobs, 4)),
		remote.WithUserAgent("sluice"),
		remote.WithRetryPredicate(retryable),
		remote.WithRetryBackoff(remote.Backoff{
			Duration: orDefault(r.Pause, time.Second), Factor: 2, Jitter: 0.1, Steps: orDefault(r.Retries, 5) + 1,
		}),
	}
}

// transport is, from the network up: the counter, the watch over transfers
// that stall, and the resuming of downloads that break.
func (r Registry) transport(meter *meter) http.RoundTripper {
	next := r.Transport
	if next == nil {
		next = remote.DefaultTransport
	}
	if meter != nil {
		next = meter.over(next)
	}
	next = &watch{next: next, limit: orDefault(r.Stall, 2*time.Minute)}
	return &resume{next: next, tries: orDefault(r.Retries, 5), pause: orDefault(r.Pause, time.Second)}
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

// explain adds what a person can do to the registry's usual refusals.
func explain(err error) error {
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
func Delete(ctx context.Context, ref string, registry Registry) error {
	digest, err := name.NewDigest(ref)
	if err != nil {
		return fmt.Errorf("delete image %s: %w", ref, err)
	}
	err = remote.Delete(digest, registry.options(ctx, nil)...)
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return fmt.Errorf("delete image %s: %w", ref, explain(err))
	}
	return nil
}

// Untag removes a tag where the registry lets one: by the specification a tag
// whose manifest was deleted may stay, and its removal may be refused.
func Untag(ctx context.Context, ref string, registry Registry) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return fmt.Errorf("remove tag %s: %w", ref, err)
	}
	err = remote.Delete(tag, registry.options(ctx, nil)...)
	for _, refusal := range []int{http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed} {
		if isStatus(err, refusal) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("remove tag %s: %w", ref, explain(err))
	}
	return nil
}

// Exists tells whether a registry holds the manifest that ref names.
func Exists(ctx context.Context, ref string, registry Registry) (bool, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return false, fmt.Errorf("look for image %s: %w", ref, err)
	}
	_, err = remote.Head(parsed, registry.options(ctx, nil)...)
	if isStatus(err, http.StatusNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for image %s: %w", ref, explain(err))
	}
	return true, nil
}

func isStatus(err error, status int) bool {
	var refusal *transport.Error
	return errors.As(err, &refusal) && refusal.StatusCode == status
}
