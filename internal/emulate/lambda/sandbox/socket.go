package sandbox

import (
	"errors"
	"net/netip"
)

// ErrUnknownOwner says that this machine does not tell which process holds a
// connection.
var ErrUnknownOwner = errors.New("this machine does not tell which process holds a connection")

// Socket is one end of a TCP connection on this machine. The zero value is none.
type Socket struct{ inode string }

// SocketAt finds the end of a connection that has the address local. Connections
// inside of this machine have two ends: that of the client is the one that a
// server calls remote. It is the zero Socket where there is none, with
// [ErrUnknownOwner] on systems without /proc.
func SocketAt(local netip.AddrPort) (Socket, error) {
	inode, err := inodeOf(local)
	return Socket{inode}, err
}

// CutConnections makes every TCP connection of the group's processes dead, without a word
// to the peer, except those among themselves and those to the address kept; it returns how
// many. Processes see a reset. It is errors.ErrUnsupported on other systems than Linux.
func (g *Group) CutConnections(kept string) (int, error) { return g.cutConnections(kept) }

// Holds reports whether a process of the group holds the socket. The answer stays
// true as long as the connection lives, as far as no process hands it to another
// group's.
func (g *Group) Holds(s Socket) bool { return s.inode != "" && g.holds(s.inode) }
