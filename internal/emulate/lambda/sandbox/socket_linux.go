package sandbox

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// holds looks for a socket among the open files of the group's processes.
func (g *Group) holds(inode string) bool {
	return slices.ContainsFunc(g.pids(), func(pid int) bool { return hasOpen(pid, inode) })
}

// inodeOf names the socket with a local address in the kernel's tables, or is empty
// where there is none. Groups have no network of their own, so that the tables are
// this machine's.
// https://man7.org/linux/man-pages/man5/proc_pid_net.5.html
func inodeOf(local netip.AddrPort) (string, error) {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if os.IsNotExist(err) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrUnknownOwner, err)
		}
		inode, err := findInode(f, local)
		f.Close()
		if inode != "" || err != nil {
			return inode, err
		}
	}
	return "", nil
}

// findInode reads a table: the second field is the local address, the tenth the
// inode. A connection that is being closed has inode 0.
func findInode(table io.Reader, local netip.AddrPort) (string, error) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[9] == "0" {
			continue
		}
		if a, ok := tableAddr(fields[1]); ok && a == netip.AddrPortFrom(local.Addr().Unmap(), local.Port()) {
			return fields[9], nil
		}
	}
	return "", lines.Err()
}

// tableAddr reads an address such as 0100007F:1F90: words of 32 bits as this
// machine holds them, then the port.
func tableAddr(text string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || portErr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok
}

// hasOpen looks through a process's list of open files, or, where only root may read
// that of a process that is sealed, as the bootstrap is, through the files themselves.
func hasOpen(pid int, inode string) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	files, err := os.ReadDir(dir) // none of a process that has ended
	if errors.Is(err, fs.ErrPermission) {
		return sealedHasOpen(pid, inode)
	}
	for _, f := range files {
		if to, err := os.Readlink(dir + "/" + f.Name()); err == nil && to == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}

// sealedFiles is how many files of a sealed process are looked at: Lambda allows no
// more.
const sealedFiles = 1024

// sealedHasOpen takes over each file for a moment. The kernel lets the maker of the
// process's user namespace do so, since Linux 5.6:
// https://man7.org/linux/man-pages/man2/pidfd_getfd.2.html
func sealedHasOpen(pid int, inode string) bool {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(process)
	for n := range sealedFiles {
		fd, err := unix.PidfdGetfd(process, n, 0)
		if errors.Is(err, unix.EBADF) {
			continue // a number that is free
		}
		if err != nil {
			return false
		}
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		unix.Close(fd)
		if err == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK && strconv.FormatUint(st.Ino, 10) == inode {
			return true
		}
	}
	return false
}
