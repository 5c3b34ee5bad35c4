package cli

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
	"github.com/aproorg/sluice/internal/rehearse"
)

// withFlags adds advice to errors of packages that know no command line: the flag
// that mends what they report.
func withFlags(err error) error {
	walk(err, func(cause error) {
		switch cause := cause.(type) {
		case *rehearse.ListenError:
			err = hint.With(err, "%s", listenAdvice(cause))
		case *infra.NotFoundError:
			err = hint.With(err, "--fetch downloads OpenTofu %s, its signature verified; or install one", infra.Version)
		case *infra.NoModuleError:
			err = hint.With(err, "--dir names the environment's folder, such as %s", shippedEnvironment)
		}
	})
	return err
}

func listenAdvice(err *rehearse.ListenError) string {
	flag := "--listen"
	if err.Server == rehearse.TimelinePage {
		flag = "--timeline"
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("%s %s takes a free one", flag, anyPort(err.Address))
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf("take a port from 1024 on, such as %s 127.0.0.1:8080", flag)
	}
	return fmt.Sprintf("give HOST:PORT, such as %s 127.0.0.1:8080", flag)
}

// anyPort is the same host with a port that the system picks.
func anyPort(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, "0")
}

// walk visits err and all that it wraps: more than one store may be out of reach.
func walk(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		walk(wrapper.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, one := range wrapper.Unwrap() {
			walk(one, visit)
		}
	}
}
