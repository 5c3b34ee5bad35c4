package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/probe"
)

// describe says by which paths the app at o.url is checked. It may ask the app, and
// fill in variables that were not given.
type describe func(ctx context.Context, a *app, o verifyOptions, vars map[string]string) (probe.Description, error)

// descriptions are the apps whose paths are known.
var descriptions = map[string]describe{
	"demo": func(context.Context, *app, verifyOptions, map[string]string) (probe.Description, error) {
		return probe.Demo(), nil
	},
	librechatApp: describeLibreChat,
}

func descriptionNames() []string { return slices.Sorted(maps.Keys(descriptions)) }

// describer finds the description before anything is asked.
func (o verifyOptions) describer() (describe, error) {
	if o.description == "" {
		known, ok := descriptions[o.app]
		if !ok {
			return nil, &usageError{hint.With(fmt.Errorf("no checks are known for app %q", o.app), "--app %s, or --describe FILE", strings.Join(descriptionNames(), ", --app "))}
		}
		return known, nil
	}
	data, err := os.ReadFile(o.description)
	if err != nil {
		return nil, fmt.Errorf("read the probe description: %w", err)
	}
	d, err := probe.ParseDescription(data)
	if err != nil {
		return nil, fmt.Errorf("probe description %s: %w", o.description, err)
	}
	return func(context.Context, *app, verifyOptions, map[string]string) (probe.Description, error) {
		return d, nil
	}, nil
}

// askLimit bounds the questions that find out how an app streams: each can be
// the first of a cold environment.
const askLimit = 2 * time.Minute

// userLimit bounds the wait for the user of a rehearsal that has just begun.
const userLimit = 15 * time.Second

// pause waits a second and reports whether there is more time.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Second):
		return true
	}
}

// describeLibreChat logs in to learn how the release streams. On this machine the
// rehearsal's user is tried where no other is given.
func describeLibreChat(ctx context.Context, a *app, o verifyOptions, vars map[string]string) (probe.Description, error) {
	rehearsed := vars["email"] == "" && loopback(o.url)
	if rehearsed {
		vars["email"], vars["password"] = librechat.UserEmail, librechat.UserPassword
	}
	if vars["email"] == "" {
		a.remark("note", hint.With(errors.New("no user is given, so streams and cookies are not checked"), "--var email=… --var password=…"))
		return librechat.Public(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	remote, err := librechat.Ask(ctx, http.DefaultClient, o.url, vars["email"], vars["password"])
	for begun := time.Now(); errors.Is(err, librechat.ErrLogin) && rehearsed && time.Since(begun) < userLimit && pause(ctx); {
		remote, err = librechat.Ask(ctx, http.DefaultClient, o.url, vars["email"], vars["password"])
	}
	if errors.Is(err, librechat.ErrLogin) && rehearsed {
		return probe.Description{}, hint.With(err, "the user of a rehearsal is made in its first seconds; for another give --var email=… --var password=…")
	}
	if err != nil {
		return probe.Description{}, err
	}
	endpoint, model := o.endpoint, o.model
	if endpoint == "" && remote.Stub {
		endpoint, model = librechat.StubEndpoint, librechat.StubModel
	}
	if endpoint == "" || model == "" {
		endpoint = ""
		a.remark("note", hint.With(errors.New("no model is named, so streams are not checked"), "--endpoint NAME --model NAME, as in librechat.yaml"))
	}
	return librechat.Description(remote.Design, endpoint, model), nil
}

func loopback(site string) bool {
	u, err := url.Parse(site)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
