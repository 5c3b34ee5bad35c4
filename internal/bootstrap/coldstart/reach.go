package coldstart

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// reachLimit is the time for a server to answer: it is near, and Lambda's init phase short. A server that starts again
	// may be there within it.
	reachLimit = 3 * time.Second
	reachPause = 100 * time.Millisecond
)

// reach finds out whether the servers answer that the app cannot start without. An app waits for them longer than the init phase
// lasts, or for ever, and says nothing. lookup gives the app's variables.
func (s Settings) reach(ctx context.Context, lookup func(string) (string, bool)) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	errs := make([]error, len(s.Reach))
	var wg sync.WaitGroup
	for i, name := range s.Reach {
		wg.Go(func() {
			uri, _ := lookup(name) // one that is not set is as an empty one
			if err := answers(ctx, uri); err != nil {
				errs[i] = fmt.Errorf("SLUICE_REACH: %s: %w", name, err)
			}
		})
	}
	wg.Wait()
	return len(s.Reach), errors.Join(errs...)
}

// server is where a URI leads to.
type server struct {
	scheme string
	hosts  []string // host:port; one that answers is enough
	tls    bool
}

var defaultPorts = map[string]string{"mongodb": "27017", "redis": "6379", "rediss": "6379", "http": "80", "https": "443", "postgres": "5432", "postgresql": "5432", "mysql": "3306"}

// parseServer shows nothing of a URI in its errors, for it can hold a password.
func parseServer(uri string) (server, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return server{}, errors.New("it is not a URI such as redis://HOST:PORT")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	hosts := rest[strings.LastIndex(rest[:end], "@")+1 : end]
	s := server{scheme: scheme, tls: scheme == "rediss" || scheme == "https"}
	if _, query, ok := strings.Cut(rest, "?"); ok {
		values, _ := url.ParseQuery(query) // what cannot be read is the app's to tell
		s.tls = s.tls || values.Get("tls") == "true" || values.Get("ssl") == "true"
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			port := defaultPorts[scheme]
			if host == "" || port == "" {
				return server{}, errors.New("it names no host and port")
			}
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		s.hosts = append(s.hosts, host)
	}
	return s, nil
}

// answers waits until one of the servers that a URI names has answered.
func answers(ctx context.Context, uri string) error {
	if uri == "" {
		return errors.New("it is not set (hint: give the app the variable, or take its name off SLUICE_REACH)")
	}
	if strings.HasPrefix(uri, "mongodb+srv://") {
		return nil // its hosts are in DNS, and the driver's to find
	}
	s, err := parseServer(uri)
	if err != nil {
		return err
	}
	found := make(chan error, len(s.hosts))
	for _, host := range s.hosts {
		go func() { found <- s.await(ctx, host) }() // each ends with ctx at the latest
	}
	var errs []error
	for range s.hosts {
		err := <-found
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// await asks a host until it answers or the time is over: one that refuses may be about to start.
func (s server) await(ctx context.Context, host string) error {
	for {
		err := s.ask(ctx, host)
		var unknown *net.DNSError
		if err == nil || errors.As(err, &unknown) && unknown.IsNotFound {
			return unreachable(host, err)
		}
		select {
		case <-ctx.Done():
			return unreachable(host, err)
		case <-time.After(reachPause):
		}
	}
}

func unreachable(host string, err error) error {
	var unknown *net.DNSError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		return fmt.Errorf("the host of %s is not known to DNS (hint: is its name right, and does the function's VPC resolve it?)", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s refuses connections (hint: is the server running, and the port right?)", host)
	case errors.Is(err, errSilent):
		return fmt.Errorf("%s accepts connections and does not answer within %s (hint: is it this kind of server, and does it want TLS?)", host, reachLimit)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s does not answer within %s (hint: do the security groups let the function in?)", host, reachLimit)
	}
	return fmt.Errorf("%s: %w", host, err)
}

var errSilent = errors.New("no answer")

// ask connects and, where the protocol is known, waits for any answer to a greeting that needs no login. Whose certificate it is, is
// the app's to judge: nothing secret is sent.
func (s server) ask(ctx context.Context, host string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // of a TCP connection it cannot fail
	}
	if s.tls {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	}
	greeting := greetings[s.scheme]
	if greeting == "" {
		return nil
	}
	if _, err := conn.Write([]byte(greeting)); err != nil {
		return errors.Join(errSilent, err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return errors.Join(errSilent, err)
	}
	return nil
}

// greetings are Redis's PING as clients send it (stand-ins of Redis do not know inline commands), and MongoDB's hello as an OP_MSG
// (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#op_msg). A refusal is an answer too.
var greetings = map[string]string{
	"redis": "*1\r\n$4\r\nPING\r\n", "rediss": "*1\r\n$4\r\nPING\r\n",
	"mongodb": message("\x1f\x00\x00\x00" + "\x10hello\x00\x01\x00\x00\x00" + "\x02$db\x00\x06\x00\x00\x00admin\x00" + "\x00"),
}

// message frames a BSON document: length, request 1, no response, opcode 2013, no flags, one body.
func message(document string) string {
	frame := "\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00" + "\x00\x00\x00\x00" + "\x00" + document
	return string([]byte{byte(len(frame) + 4), 0, 0, 0}) + frame
}
