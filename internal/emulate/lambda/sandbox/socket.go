package sandbox

import (
	"errors"
	"net/netip"
)

// ErrUnknownOwner says that this machine does not tell which process holds a
// connection.
var ErrUnknownOwner = errors.New("this machine does not tell which process holds a connection")

// Holds reports whether a process of the group holds the TCP connection whose
// end has the address local. Connections inside of this machine have two ends:
// that of the client is the one that a server calls remote. The answer stays
// true as long as the connection lives, as far as no process hands it to another
// group's. It is [ErrUnknownOwner] on systems without /proc.
func (g *Group) Holds(local netip.AddrPort) (bool, error) { return g.holds(local) }
