package up

import (
	"errors"
	"net"
	"syscall"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse"
)

// listenAdvice adds to an error of rehearse.Listen, which knows no command line, the
// flag that mends it.
func listenAdvice(err error) error {
	var failed *rehearse.ListenError
	if !errors.As(err, &failed) {
		return err
	}
	flag := "--listen"
	if failed.Server == rehearse.TimelinePage {
		flag = "--timeline"
	}
	switch {
	case errors.Is(failed, syscall.EADDRINUSE):
		return hint.With(err, "%s %s takes a free one", flag, anyPort(failed.Address))
	case errors.Is(failed, syscall.EACCES):
		return hint.With(err, "take a port from 1024 on, such as %s 127.0.0.1:8080", flag)
	}
	return hint.With(err, "give HOST:PORT, such as %s 127.0.0.1:8080", flag)
}

// machineAdvice adds the way out of a limit that is too tight.
func machineAdvice(err error) error {
	var short *rehearse.ShortError
	if !errors.As(err, &short) {
		return err
	}
	return hint.With(err, "raise the hard limit (ulimit -Hn, LimitNOFILE of systemd, --ulimit nofile=%d of docker run), or start fewer environments with --concurrency", short.Need)
}

// anyPort is the same host with a port that the system picks.
func anyPort(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, "0")
}
