package environment

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
	"github.com/aproorg/sluice/internal/timeline"
)

// runtimePort is the Runtime API's in every clone, and on AWS.
const (
	runtimePort    = "9001"
	runtimeAddress = "127.0.0.1:" + runtimePort
)

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

// openNetwork has the servers of this machine be reached that the environment's processes may
// ask for. Those of a clone are what the snapshot's were: any other port may be one of its processes' own.
func (e *Environment) openNetwork() error {
	if e.net == nil {
		return nil
	}
	if e.cfg.SnapStart.From != nil {
		return e.net.open(e.cfg.SnapStart.Ports)
	}
	named := e.named()
	ports := slices.Concat(e.cfg.SnapStart.Ports, present(named))
	slices.Sort(ports)
	if err := e.net.open(slices.Compact(ports)); err != nil {
		return err
	}
	e.net.follow(named)
	return nil
}

// named are the ports of servers that the environment's variables name.
func (e *Environment) named() []string {
	return slices.DeleteFunc(namedPorts(e.variables()), func(p string) bool { return p == runtimePort })
}

// useNetwork gives the environment a network of its own, with the Runtime API in it.
func (e *Environment) useNetwork() (net.Listener, error) {
	n, err := sandbox.NewNetwork()
	if err != nil {
		return nil, err
	}
	e.group.CloneIn(n)
	e.net = &network{Network: n, done: make(chan struct{}), dialed: map[netip.AddrPort]bool{}}
	listener, err := n.Listen(runtimeAddress)
	if err != nil {
		n.Close()
		return nil, err
	}
	return listener, nil
}

// network is an environment's own. Servers of this machine are reached in it at the same
// addresses: those of SnapStart.Ports, and those that its variables name, once they are
// there. Its methods do nothing on nil.
type network struct {
	*sandbox.Network
	running sync.WaitGroup
	done    chan struct{}

	mu        sync.Mutex
	ports     []string // that are reached
	listeners []net.Listener
	conns     []net.Conn
	dialed    map[netip.AddrPort]bool // what servers see as their clients
	closed    bool
}

// open has servers of this machine be reached by their ports, of which none may be taken.
func (n *network) open(ports []string) error {
	for _, port := range ports {
		if err := n.reach(port); err != nil {
			return fmt.Errorf("reach 127.0.0.1:%s from an environment: %w", port, err)
		}
	}
	return nil
}

// reach passes on what connects to a port of the loopback.
func (n *network) reach(port string) error {
	listener, err := n.Listen("127.0.0.1:" + port)
	if err != nil {
		return err
	}
	listeners := []net.Listener{listener}
	if six, err := n.Listen("[::1]:" + port); err == nil { // what localhost may mean; a kernel may lack it
		listeners = append(listeners, six)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports = append(n.ports, port)
	for _, l := range listeners {
		if n.closed {
			l.Close()
			continue
		}
		n.listeners = append(n.listeners, l)
		n.running.Go(func() { n.serve(l, port) })
	}
	return nil
}

// lookEvery is how often a server is looked for that was not there yet.
const lookEvery = 300 * time.Millisecond

// follow has servers be reached once they are there. One whose port the app has taken is the app's own.
func (n *network) follow(ports []string) {
	if n == nil {
		return
	}
	n.running.Go(func() {
		for left := ports; ; {
			left = slices.DeleteFunc(slices.Clone(left), n.reaches)
			if len(left) == 0 {
				return
			}
			select {
			case <-time.After(lookEvery):
			case <-n.done:
				return
			}
			for _, port := range present(left) {
				if n.reach(port) != nil {
					left = slices.DeleteFunc(left, func(p string) bool { return p == port })
				}
			}
		}
	})
}

func (n *network) reaches(port string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.ports, port)
}

// present are the ports on which somebody listens on this machine.
func present(ports []string) []string {
	all, err := sandbox.ListeningPorts()
	if err != nil {
		return ports
	}
	return slices.DeleteFunc(slices.Clone(ports), func(p string) bool { return !slices.Contains(all, p) })
}

// Reached are the ports of this machine that the environment reaches, if it has a network of its own.
func (e *Environment) Reached() []string {
	if e.net == nil {
		return nil
	}
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	return slices.Clone(e.net.ports)
}

func (n *network) serve(listener net.Listener, port string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		n.running.Go(func() { n.join(conn, port) })
	}
}

// join passes on what the two ends send, until both have ended.
func (n *network) join(conn net.Conn, port string) {
	defer conn.Close()
	var local netip.AddrPort
	defer func() { n.forget(local) }()
	// The address is chosen and known before the server can ask whose it is.
	dialer := net.Dialer{Control: func(family, _ string, raw syscall.RawConn) (err error) {
		n.forget(local) // of a try before
		if controlErr := raw.Control(func(fd uintptr) { local, err = bindLoopback(int(fd), family == "tcp6") }); controlErr != nil {
			return controlErr
		}
		if err == nil {
			n.mu.Lock()
			n.dialed[local] = true
			n.mu.Unlock()
		}
		return err
	}}
	server, err := dialer.Dial("tcp4", "127.0.0.1:"+port)
	if err != nil {
		server, err = dialer.Dial("tcp6", "[::1]:"+port)
	}
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

// bindLoopback gives a socket a free port on 127.0.0.1, or on ::1, and tells which.
func bindLoopback(fd int, six bool) (netip.AddrPort, error) {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	to := unix.Sockaddr(&unix.SockaddrInet4{Addr: loopback.As4()})
	if six {
		loopback = netip.IPv6Loopback()
		to = &unix.SockaddrInet6{Addr: loopback.As16()}
	}
	if err := unix.Bind(fd, to); err != nil {
		return netip.AddrPort{}, os.NewSyscallError("bind", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	port := 0
	switch got := name.(type) {
	case *unix.SockaddrInet4:
		port = got.Port
	case *unix.SockaddrInet6:
		port = got.Port
	}
	return netip.AddrPortFrom(loopback, uint16(port)), nil
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
	conns, listeners := slices.Clone(n.conns), slices.Clone(n.listeners)
	n.mu.Unlock()
	close(n.done)
	for _, l := range listeners {
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
