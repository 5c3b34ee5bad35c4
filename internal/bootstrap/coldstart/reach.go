package coldstart

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/serveruri"
)

const (
	// reachLimit is the time for a server to answer: it is near, and Lambda's init phase short. A server that starts again
	// may be there within it.
	reachLimit = 3 * time.Second
	reachPause = 100 * time.Millisecond
)

// reach finds out whether the servers answer that the app cannot start without. An app waits for them longer than the init phase
// lasts, or for ever, and says nothing. lookup gives the app's variables.
func (cfg Config) reach(ctx context.Context, lookup func(string) (string, bool)) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	errs := make([]error, len(cfg.Reach))
	var wg sync.WaitGroup
	for i, name := range cfg.Reach {
		wg.Go(func() {
			uri, _ := lookup(name) // one that is not set is as an empty one
			if err := answers(ctx, uri); err != nil {
				errs[i] = fmt.Errorf("%s: %s: %w", settings.ReachVariable, name, err)
			}
		})
	}
	wg.Wait()
	return len(cfg.Reach), errors.Join(errs...)
}

// answers waits until one of the servers that a URI names has answered.
func answers(ctx context.Context, uri string) error {
	if uri == "" {
		return hint.With(errors.New("it is not set"), "give the app the variable, or take its name off %s", settings.ReachVariable)
	}
	if strings.HasPrefix(uri, "mongodb+srv://") {
		return nil // its hosts are in DNS, and the driver's to find
	}
	u, err := serveruri.Parse(uri)
	if err != nil {
		return err
	}
	found := make(chan error, len(u.Hosts))
	for _, host := range u.Hosts {
		go func() { found <- await(ctx, u, host) }() // each ends with ctx at the latest
	}
	var errs []error
	for range u.Hosts {
		err := <-found
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// await asks a host until it answers or the time is over: one that refuses may be about to start.
func await(ctx context.Context, u serveruri.URI, host string) error {
	for {
		err := ask(ctx, u, host)
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
		return hint.With(fmt.Errorf("the host of %s is not known to DNS", host), "is its name right, and does the function's VPC resolve it?")
	case errors.Is(err, syscall.ECONNREFUSED):
		return hint.With(fmt.Errorf("%s refuses connections", host), "is the server running, and the port right?")
	case errors.Is(err, errSilent):
		return hint.With(fmt.Errorf("%s accepts connections and does not answer within %s", host, reachLimit), "is it this kind of server, and does it want TLS?")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return hint.With(fmt.Errorf("%s does not answer within %s", host, reachLimit), "do the security groups let the function in?")
	}
	return fmt.Errorf("%s: %w", host, err)
}

var errSilent = errors.New("no answer")

// ask connects and, where the protocol is known, waits for any answer to a greeting that needs no login. Whose certificate it is, is
// the app's to judge: nothing secret is sent.
func ask(ctx context.Context, u serveruri.URI, host string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // of a TCP connection it cannot fail
	}
	if u.TLS() {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	}
	greeting := greetings[u.Scheme]
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
