package rehearse

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// The servers of a rehearsal that a person uses, as errors name them.
const (
	Viewer       = "the rehearsal"
	TimelinePage = "the timeline page"
)

// ListenError says which server did not get its address. Its cause is the system's:
// syscall.EADDRINUSE, syscall.EACCES, or that it is no address.
type ListenError struct {
	Server  string // Viewer or TimelinePage
	Address string
	Err     error
}

func (e *ListenError) Error() string {
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return fmt.Sprintf("start %s: address %s is taken by another program", e.Server, e.Address)
	case errors.Is(e.Err, syscall.EACCES):
		return fmt.Sprintf("start %s: address %s is not permitted to this user", e.Server, e.Address)
	}
	return fmt.Sprintf("start %s: %v", e.Server, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

// listen takes an address for a person to use.
func listen(server, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &ListenError{server, address, err}
	}
	return listener, nil
}
