//go:build !linux

package sandbox

import (
	"errors"
	"net/netip"
)

func inodeOf(netip.AddrPort) (string, error) { return "", ErrUnknownOwner }

func (g *Group) holds(string) bool { return false }

func (g *Group) cutConnections(string) (int, error) { return 0, errors.ErrUnsupported }
