package librechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/probe/description"
)

// check describes a LibreChat to package probe.
type check struct{ endpoint, model string }

func (c *check) Flags(f *flag.FlagSet) {
	f.StringVar(&c.endpoint, "endpoint", "", "`NAME` of the endpoint that is asked to stream, as in librechat.yaml (default: the rehearsal's stub)")
	f.StringVar(&c.model, "model", "", "`NAME` of that endpoint's model (default: the stub's)")
}

// Detect knows LibreChat by the settings that it shows to anyone, and by its page
// where the API is broken.
func (*check) Detect(ctx context.Context, v *app.Visit) bool {
	var config map[string]any
	if json.Unmarshal(v.Get(ctx, "/api/config").Body, &config) == nil {
		_, title := config["appTitle"]
		_, login := config["emailLoginEnabled"]
		if title && login {
			return true
		}
	}
	return bytes.Contains(v.Get(ctx, "/").Body, []byte("<title>LibreChat</title>"))
}

const (
	// askLimit bounds the questions that find out how an app streams: each can be the
	// first of a cold environment.
	askLimit = 2 * time.Minute
	// userLimit bounds the wait for the user of a rehearsal that has just begun.
	userLimit = 15 * time.Second
)

// Describe logs in to learn how the release streams. On this machine the rehearsal's
// user is tried where no other is named.
func (c *check) Describe(ctx context.Context, q app.Question) (description.Description, error) {
	rehearsed := q.Vars["email"] == "" && loopback(q.URL)
	if rehearsed {
		q.Vars["email"], q.Vars["password"] = facts.UserEmail, facts.UserPassword
	}
	if q.Vars["email"] == "" {
		q.Note(hint.With(errors.New("no user is named, so streams and cookies are not checked"), "--var email=… --var password=…"))
		return facts.Public(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	remote, err := facts.Ask(ctx, http.DefaultClient, q.URL, q.Vars["email"], q.Vars["password"])
	for begun := time.Now(); errors.Is(err, facts.ErrLogin) && rehearsed && time.Since(begun) < userLimit && pause(ctx); {
		remote, err = facts.Ask(ctx, http.DefaultClient, q.URL, q.Vars["email"], q.Vars["password"])
	}
	if errors.Is(err, facts.ErrLogin) && rehearsed {
		return description.Description{}, hint.With(err, "the user of a rehearsal is made in its first seconds; for another give --var email=… --var password=…")
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = hint.With(fmt.Errorf("LibreChat took longer than %v to tell how it streams: %w", askLimit, err), "its environments start slowly; try again while they are warm")
	}
	if err != nil {
		return description.Description{}, err
	}
	endpoint, model := c.endpoint, c.model
	if endpoint == "" && remote.Stub {
		endpoint, model = facts.StubEndpoint, facts.StubModel
	}
	if endpoint == "" || model == "" {
		endpoint = ""
		q.Note(hint.With(errors.New("no model is named, so streams are not checked"), "--endpoint NAME --model NAME, as in librechat.yaml"))
	}
	d := facts.Description(remote.Design, endpoint, model)
	d.Upload.Limit = remote.FileLimit
	return d, nil
}

// pause waits a second and reports whether there is more time.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Second):
		return true
	}
}

func loopback(site string) bool {
	u, err := url.Parse(site)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
