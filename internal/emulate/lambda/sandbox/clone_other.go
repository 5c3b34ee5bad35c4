//go:build !linux

package sandbox

import (
	"errors"
	"net"
)

type clone struct{}

// Network is one that only a group has; see the Linux version.
type Network struct{}

// NewNetwork is errors.ErrUnsupported here.
func NewNetwork() (*Network, error) { return nil, errors.ErrUnsupported }

// Listen is errors.ErrUnsupported here.
func (*Network) Listen(string) (net.Listener, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Network) Close() {}

// OwnPorts is errors.ErrUnsupported here.
func OwnPorts() ([]string, error) { return nil, errors.ErrUnsupported }

// ListeningPorts is errors.ErrUnsupported here.
func ListeningPorts() ([]string, error) { return nil, errors.ErrUnsupported }

// Snapshot is what processes are restored from; see the Linux version.
type Snapshot struct{ Bytes int64 }

// Close does nothing.
func (*Snapshot) Close() error { return nil }

// Clones says why there are none here.
func (h *Host) Clones() error { return errors.New("not Linux") }

// CloneIn does nothing.
func (g *Group) CloneIn(*Network) {}

// Dump is errors.ErrUnsupported here.
func (g *Group) Dump(*Process) (*Snapshot, error) { return nil, errors.ErrUnsupported }

// Restore is errors.ErrUnsupported here.
func (g *Group) Restore(Spec, *Snapshot) (*Process, error) { return nil, errors.ErrUnsupported }
