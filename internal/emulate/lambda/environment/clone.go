package environment

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
	"github.com/aproorg/sluice/internal/timeline"
)

// runtimeAddress is the Runtime API's in every clone, and on AWS.
const runtimeAddress = "127.0.0.1:9001"

type snapshotResult struct {
	snapshot *sandbox.Snapshot
	err      error
}

// Snapshot takes a snapshot of an environment that is held, which ends it. If it fails the
// environment is held on.
func (e *Environment) Snapshot() (*sandbox.Snapshot, error) {
	reply := make(chan snapshotResult, 1)
	select {
	case e.snapshots <- reply:
		r := <-reply
		return r.snapshot, r.err
	case <-e.ended:
		return nil, errors.New("the environment has ended")
	}
}

// takeSnapshot reports whether the environment has ended by it.
func (e *Environment) takeSnapshot(reply chan<- snapshotResult) bool {
	e.thaw()
	s, err := e.group.Dump(e.session.runtime)
	reply <- snapshotResult{s, err}
	if err != nil {
		if err := e.group.Freeze(); err != nil {
			e.cfg.Log.Error("freeze", "environment", e.id, "error", err)
		}
		return false
	}
	e.killProcesses()
	e.setState(timeline.Killed, "its snapshot was taken")
	return true
}

// clone restores the snapshot's processes in this environment.
func (e *Environment) clone(from *sandbox.Snapshot) (idle <-chan struct{}, f *runtimeapi.Failure) {
	s := newSession()
	s.Session = runtimeapi.NewClone()
	e.session, e.oom = s, false
	e.api.Use(s.Session)
	p, err := e.group.Restore(e.spec(e.cfg.Process.Command, e.output(s, "function")), from)
	if err != nil {
		return nil, runtimeapi.Fail(runtimeapi.ExitError, "", "restore the snapshot: %v", err)
	}
	s.runtime, s.exited = p, p.Done()
	e.setPID(p.PID())
	return s.Idle(), nil
}

// useNetwork gives the environment a network of its own, with the Runtime API in it.
func (e *Environment) useNetwork() (net.Listener, error) {
	n, err := sandbox.NewNetwork()
	if err != nil {
		return nil, err
	}
	e.group.CloneIn(n)
	e.net = &network{Network: n, dialed: map[netip.AddrPort]bool{}}
	listener, err := n.Listen(runtimeAddress)
	if err != nil {
		n.Close()
		return nil, err
	}
	return listener, nil
}

// network is an environment's own. Servers of this machine are reached in it at the same
// addresses: those of SnapStart.Ports, and those that its variables name. Its methods do nothing on nil.
type network struct {
	*sandbox.Network
	running sync.WaitGroup

	mu        sync.Mutex
	listeners []net.Listener
	conns     []net.Conn
	dialed    map[netip.AddrPort]bool // what servers see as their clients
	closed    bool
}

// named finds addresses of servers on this machine among variables.
var named = regexp.MustCompile(`(?:127\.0\.0\.1|localhost):(\d{1,5})`)

func (n *network) forward(variables []string, but string, s *SnapStart) error {
	if n == nil {
		return nil
	}
	ports := slices.Clone(s.Ports)
	for _, v := range variables {
		for _, m := range named.FindAllStringSubmatch(v, -1) {
			ports = append(ports, m[1])
		}
	}
	slices.Sort(ports)
	for _, port := range slices.Compact(ports) {
		address := "127.0.0.1:" + port
		if address == but {
			continue
		}
		listener, err := n.Listen(address)
		if err != nil {
			if strings.Contains(err.Error(), "invalid port") {
				continue
			}
			return fmt.Errorf("reach %s from an environment: %w", address, err)
		}
		n.listeners = append(n.listeners, listener)
		n.running.Go(func() { n.serve(listener, address) })
	}
	return nil
}

func (n *network) serve(listener net.Listener, address string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		n.running.Go(func() { n.join(conn, address) })
	}
}

// join passes on what the two ends send, until both have ended.
func (n *network) join(conn net.Conn, address string) {
	defer conn.Close()
	var local netip.AddrPort
	defer func() { n.forget(local) }()
	// The address is chosen and known before the server can ask whose it is.
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if controlErr := raw.Control(func(fd uintptr) { local, err = bindLoopback(int(fd)) }); controlErr != nil {
			return controlErr
		}
		if err == nil {
			n.mu.Lock()
			n.dialed[local] = true
			n.mu.Unlock()
		}
		return err
	}}
	server, err := dialer.Dial("tcp4", address)
	if err != nil {
		return // the app sees a connection that ends at once
	}
	defer server.Close()
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return
	}
	n.conns = append(n.conns, conn, server)
	n.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { pass(server, conn) })
	pass(conn, server)
	both.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = slices.DeleteFunc(n.conns, func(c net.Conn) bool { return c == conn || c == server })
}

func (n *network) forget(client netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.dialed, client)
}

// bindLoopback gives a socket a free port on 127.0.0.1, and tells which.
func bindLoopback(fd int) (netip.AddrPort, error) {
	loopback := [4]byte{127, 0, 0, 1}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback}); err != nil {
		return netip.AddrPort{}, os.NewSyscallError("bind", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(loopback), uint16(name.(*unix.SockaddrInet4).Port)), nil
}

func pass(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	_ = to.(*net.TCPConn).CloseWrite()
}

// holds reports whether a server sees a client of this network at an address.
func (n *network) holds(client netip.AddrPort) bool {
	if n == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dialed[client]
}

func (n *network) close() {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.closed = true
	conns := slices.Clone(n.conns)
	n.mu.Unlock()
	for _, l := range n.listeners {
		l.Close()
	}
	for _, c := range conns {
		c.Close()
	}
	n.running.Wait()
	n.Network.Close()
}

// Dialed reports whether the environment reaches a server of this machine by a connection
// that the server sees as coming from client.
func (e *Environment) Dialed(client netip.AddrPort) bool { return e.net.holds(client) }
