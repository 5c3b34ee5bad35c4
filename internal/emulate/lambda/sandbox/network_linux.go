package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Network is a network namespace with a loopback of its own and no way out: who is in it
// reaches what is listened for in it. It lets clones of a process listen on the same port.
type Network struct {
	work chan func()
	gone chan struct{}
	file *os.File
}

// NewNetwork makes one. It needs root. The caller closes it.
func NewNetwork() (*Network, error) {
	n := &Network{work: make(chan func()), gone: make(chan struct{})}
	made := make(chan error)
	go n.live(made)
	if err := <-made; err != nil {
		<-n.gone
		return nil, fmt.Errorf("make a network for clones: %w", err)
	}
	return n, nil
}

// live enters the network with a thread that is never anybody else's: it ends with the goroutine.
func (n *Network) live(made chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		// The main thread never ends, and what /proc/self says of networks is what it is in.
		defer runtime.UnlockOSThread()
		other := make(chan struct{})
		go func() { defer close(other); n.live(made) }()
		<-other
		return
	}
	defer close(n.gone)
	if err := n.enter(); err != nil {
		made <- err
		return
	}
	made <- nil
	for f := range n.work {
		f()
	}
}

func (n *Network) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	// CRIU dumps no sockets of MPTCP, which Go listens by where it can.
	if err := os.WriteFile("/proc/sys/net/mptcp/enabled", []byte("0"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.Open("/proc/thread-self/ns/net")
	n.file = file
	return err
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// Listen listens at an address of this network. Who accepts may be anywhere.
func (n *Network) Listen(address string) (listener net.Listener, err error) {
	done := make(chan struct{})
	n.work <- func() {
		defer close(done)
		listener, err = net.Listen("tcp", address)
	}
	<-done
	return listener, err
}

// OwnPorts are those on which this process listens, on a loopback address or on all.
func OwnPorts() ([]string, error) {
	own := map[string]bool{}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		to, _ := os.Readlink("/proc/self/fd/" + f.Name()) // one that is closed by now is none
		if inode, ok := strings.CutPrefix(to, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return listening(func(inode string) bool { return own[inode] })
}

// ListeningPorts are those on which anybody does, on this machine.
func ListeningPorts() ([]string, error) {
	return listening(func(string) bool { return true })
}

func listening(counts func(inode string) bool) ([]string, error) {
	var ports []string
	for _, name := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		table, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		const listening = "0A"
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != listening || !counts(f[9]) {
				continue
			}
			if a, ok := tableAddr(f[1]); ok && (a.Addr().IsLoopback() || a.Addr().IsUnspecified()) {
				ports = append(ports, strconv.Itoa(int(a.Port())))
			}
		}
	}
	return ports, nil
}

// files are handed to a process that enters the network, and restores the snapshot if there
// is one: the numbers are networkFile and imageFile.
func (n *Network) files(s *Snapshot) []*os.File {
	if s == nil {
		return []*os.File{n.file}
	}
	return []*os.File{n.file, s.dir}
}

// Close gives the network up. It lasts as long as a process or a socket is in it.
func (n *Network) Close() {
	close(n.work)
	<-n.gone
	n.file.Close()
}
