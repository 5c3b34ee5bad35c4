package sandbox

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// connection is one end of a TCP connection that a process of the group holds.
type connection struct {
	fd          int // a copy of the process's
	local, peer netip.AddrPort
}

func (g *Group) cutConnections(kept string) (int, error) {
	var open []connection
	defer func() {
		for _, c := range open {
			unix.Close(c.fd)
		}
	}()
	for _, pid := range g.pids() {
		of, err := connectionsOf(pid)
		open = append(open, of...)
		if err != nil {
			return 0, err
		}
	}
	own := map[netip.AddrPort]bool{}
	for _, c := range open {
		own[c.local] = true
	}
	cut := 0
	for _, c := range open {
		if own[c.peer] || c.peer.String() == kept {
			continue
		}
		if err := disconnect(c.fd); err != nil {
			return cut, fmt.Errorf("cut the connection to %s: %w", c.peer, err)
		}
		cut++
	}
	return cut, nil
}

// connectionsOf copies a process's sockets, as sealedHasOpen does: its list of open files
// is not for everybody who may have them.
func connectionsOf(pid int) ([]connection, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(process)
	var open []connection
	for _, n := range filesOf(pid) {
		fd, err := unix.PidfdGetfd(process, n, 0)
		if errors.Is(err, unix.EBADF) || errors.Is(err, unix.ESRCH) {
			continue // a number that is free, or a process that has ended
		}
		if err != nil {
			return open, fmt.Errorf("copy the open files of process %d: %w", pid, err)
		}
		c, ok := connectionAt(fd)
		if !ok {
			unix.Close(fd)
			continue
		}
		open = append(open, c)
	}
	return open, nil
}

// filesOf are the numbers of a process's open files, or all that may be.
func filesOf(pid int) []int {
	var numbers []int
	if files, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd"); err == nil {
		for _, f := range files {
			if n, err := strconv.Atoi(f.Name()); err == nil {
				numbers = append(numbers, n)
			}
		}
		return numbers
	}
	for n := range sealedFiles {
		numbers = append(numbers, n)
	}
	return numbers
}

func connectionAt(fd int) (connection, bool) {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return connection{}, false
	}
	peer, err := unix.Getpeername(fd)
	if err != nil {
		return connection{}, false
	}
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_STREAM {
		return connection{}, false
	}
	c := connection{fd: fd, local: addrOf(local), peer: addrOf(peer)}
	return c, c.local.IsValid() && c.peer.IsValid()
}

func addrOf(address unix.Sockaddr) netip.AddrPort {
	switch a := address.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// disconnect aborts a connection from this end: connect(2) with AF_UNSPEC.
func disconnect(fd int) error {
	var none unix.RawSockaddr // AF_UNSPEC is 0
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unix.SizeofSockaddrInet4)
	if errno != 0 {
		return errno
	}
	return nil
}
