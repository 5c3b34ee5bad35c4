package up

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
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

// hiddenBeside says what of an app in a directory below /tmp cannot be seen: each
// environment has a /tmp of its own, in which that directory is and nothing else of this
// machine's. It is empty where nothing lies beside the directory.
func hiddenBeside(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil || !strings.HasPrefix(dir, "/tmp/") {
		return ""
	}
	parent := filepath.Dir(dir)
	if parent == "/tmp" {
		return ""
	}
	beside, err := os.ReadDir(parent)
	if err != nil || len(beside) < 2 {
		return ""
	}
	return fmt.Sprintf("%s lies below /tmp, which is each environment's own: the app sees that directory and nothing beside it in %s; keep it elsewhere if it needs more", dir, parent)
}

// anyPort is the same host with a port that the system picks.
func anyPort(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, "0")
}
