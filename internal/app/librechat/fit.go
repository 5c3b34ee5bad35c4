package librechat

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/hint"
)

// A .env file may be made from LibreChat's own .env.example, for Docker on port 3080, or
// be that of a deployment. What of it a rehearsal has its own value for is left out, and
// said once.

const (
	ownStores = "a rehearsal has stores of its own, so that it never writes into those of a deployment"
	ownFiles  = "files of a rehearsal go to its own S3"
	ownPlace  = "the bootstrap tells LibreChat where to listen"
)

// place is a variable of where LibreChat runs, and what to do for another value.
type place struct{ name, why, advice string }

var places = []place{
	{"MONGO_URI", ownStores, "--mongo URI names a real one"},
	{"REDIS_URI", ownStores, "--redis URI names a real one"},
	{"HOST", ownPlace, "--listen HOST:PORT is where the site is seen"},
	{"PORT", ownPlace, "--listen HOST:PORT is where the site is seen"},
	{"CONFIG_PATH", "the bootstrap writes librechat.yaml", "--config FILE takes another"},
	{"AWS_REGION", ownFiles, "it is of a deployment"},
	{"AWS_BUCKET_NAME", ownFiles, "it is of a deployment"},
	{"AWS_ENDPOINT_URL", ownFiles, "it is of a deployment"},
}

// ofRedis go with a real Redis alone.
var ofRedis = []string{"REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_CA"}

// fit leaves out of the user's variables what does not fit a rehearsal.
func (p *prepare) fit() {
	env := p.request.Env
	for _, v := range places {
		if env[v.name] != "" {
			p.leaveOut(v.name, v.why, v.advice)
		}
		delete(env, v.name)
	}
	for _, name := range ofRedis {
		if env[name] != "" && p.redis == "" {
			p.leaveOut(name, ownStores, "it goes with --redis URI")
		}
	}
	if dir := env["LIBRECHAT_LOG_DIR"]; dir != "" && !strings.HasPrefix(dir, "/tmp/") {
		p.leaveOut("LIBRECHAT_LOG_DIR", "only /tmp is writable", "name a directory below /tmp")
	}
	p.fitSearch()
	for _, v := range p.release.Contract() {
		value, set := env[v.Name]
		switch {
		case set && value == "":
			delete(env, v.Name) // LibreChat's example has names without values
		case set && v.Need != app.Required && v.Check != nil && v.Check(value) != nil:
			p.leaveOut(v.Name, fmt.Sprintf("it %v: %s", v.Check(value), v.Why), "leave it out of a deployment too")
		}
	}
}

// leaveOut says why a variable is not the user's.
func (p *prepare) leaveOut(name, why, advice string) {
	delete(p.request.Env, name)
	p.request.Warn(hint.With(fmt.Errorf("%s of --env or --env-file is left out: %s", name, why), "%s", advice))
}

// searchWait is what a Meilisearch on this machine needs to take a connection.
const searchWait = time.Second

// fitSearch turns search off where no Meilisearch answers. With its address and key
// LibreChat would go on asking it.
func (p *prepare) fitSearch() {
	if strings.EqualFold(strings.TrimSpace(p.request.Env["SEARCH"]), "true") {
		err := answers(p.request.Env["MEILI_HOST"])
		if err == nil {
			return
		}
		p.leaveOut("SEARCH", fmt.Sprintf("no Meilisearch answers at MEILI_HOST (%v)", err), "start one there, or set SEARCH=false")
	}
	delete(p.request.Env, "MEILI_HOST")
	delete(p.request.Env, "MEILI_MASTER_KEY")
}

func answers(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return errors.New("it is no URL")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(u.Hostname(), port), searchWait)
	if err != nil {
		return err
	}
	return conn.Close()
}

// fitSite leaves out the addresses of another site than the rehearsal's.
func (p *prepare) fitSite(siteURL string) {
	for _, name := range []string{"DOMAIN_CLIENT", "DOMAIN_SERVER"} {
		value := strings.TrimSuffix(p.request.Env[name], "/")
		if value != "" && !sameSite(value, siteURL) {
			u, err := url.Parse(value)
			advice := "--listen HOST:PORT moves it"
			if err == nil && u.Port() != "" && loopback(value) {
				advice = fmt.Sprintf("--listen 127.0.0.1:%s moves it there", u.Port())
			}
			p.leaveOut(name, "the rehearsal is seen at "+siteURL, advice)
		}
		delete(p.request.Env, name)
	}
}

// sameSite tells whether two addresses are of one site; this machine has several names.
func sameSite(a, b string) bool {
	u, err := url.Parse(a)
	v, failed := url.Parse(b)
	return a == b || err == nil && failed == nil && u.Scheme == v.Scheme && u.Port() == v.Port() && loopback(a) && loopback(b)
}
