package mongo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/serveruri"
)

// dialTimeout bounds the connection to the database behind the proxy.
const dialTimeout = 10 * time.Second

// remote is a real server behind the proxy.
type remote struct {
	addr  string
	tls   *tls.Config // nil for plain TCP
	user  *url.Userinfo
	path  string
	query url.Values
}

// parseUpstream reads a mongodb:// URI. Of several hosts the first is used:
// give the one that is primary.
func parseUpstream(uri string) (*remote, error) {
	if strings.HasPrefix(uri, "mongodb+srv://") {
		return nil, errors.New("MongoDB URI has scheme mongodb+srv: only mongodb:// is known here, with its hosts spelled out")
	}
	if !strings.Contains(uri, "://") {
		return nil, errors.New(`MongoDB URI has scheme "": only mongodb:// is known here`)
	}
	u, err := serveruri.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("MongoDB URI cannot be used, for %w: give it as mongodb://HOST:PORT/DATABASE", err)
	}
	if u.Scheme != "mongodb" {
		return nil, fmt.Errorf("MongoDB URI has scheme %q: only mongodb:// is known here", u.Scheme)
	}
	r := &remote{addr: u.Hosts[0], user: u.User, path: u.Path, query: u.Query}
	if err := r.secure(); err != nil {
		return nil, err
	}
	return r, nil
}

// secure takes TLS upon the proxy, so that its clients need none.
func (r *remote) secure() error {
	q := r.query
	if q.Get("tls") != "true" && q.Get("ssl") != "true" {
		return nil
	}
	host, _, err := net.SplitHostPort(r.addr)
	if err != nil {
		return fmt.Errorf("MongoDB host %s: %w", r.addr, err)
	}
	r.tls = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if q.Get("tlsAllowInvalidCertificates") == "true" || q.Get("tlsInsecure") == "true" {
		r.tls.InsecureSkipVerify = true
	}
	file := q.Get("tlsCAFile")
	if file == "" {
		return nil
	}
	pem, err := bounded.ReadFile(file, maxCAFile)
	if err != nil {
		return fmt.Errorf("read tlsCAFile: %w", err)
	}
	r.tls.RootCAs = x509.NewCertPool()
	if !r.tls.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("tlsCAFile %s holds no certificate", file)
	}
	return nil
}

// maxCAFile bounds what is read of certificates.
const maxCAFile = 4 << 20

// options returns the URI options that clients of the proxy keep.
func (r *remote) options(database string) url.Values {
	keep := url.Values{}
	for _, k := range []string{"authSource", "authMechanism", "w", "readPreference", "readConcernLevel"} {
		if v := r.query.Get(k); v != "" {
			keep.Set(k, v)
		}
	}
	// Credentials are looked up in the URI's database, which may be another
	// one than the app's.
	if r.user != nil && keep.Get("authSource") == "" {
		keep.Set("authSource", "admin")
		if r.path != "" && r.path != database {
			keep.Set("authSource", r.path)
		}
	}
	return keep
}

func (r *remote) dial(ctx context.Context) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialTimeout}
	if r.tls == nil {
		return d.DialContext(ctx, "tcp", r.addr)
	}
	return (&tls.Dialer{NetDialer: d, Config: r.tls}).DialContext(ctx, "tcp", r.addr)
}
