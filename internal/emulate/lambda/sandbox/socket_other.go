//go:build !linux

package sandbox

import "net/netip"

func (g *Group) holds(netip.AddrPort) (bool, error) { return false, ErrUnknownOwner }
