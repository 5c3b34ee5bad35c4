package drain

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// peer is one process of Node or Python, or one of Node's worker threads, that has loaded its script.
type peer struct {
	conn net.Conn
	// The rest is guarded by Drain.mu.
	worker  bool
	python  bool
	blocked bool   // in Atomics.wait
	idle    int    // the last question answered with idle
	heard   int    // the last question answered at all
	work    string // what it said it was doing
}

// deafAfter is how long a worker thread may say nothing. A main thread that says nothing computes, and that is work.
const deafAfter = time.Second

// attend reads what one peer says until it goes.
func (d *Drain) attend(conn net.Conn) {
	p := &peer{conn: conn}
	d.mu.Lock()
	d.peers[p] = true
	if d.round > 0 {
		p.ask(d.verb, d.round)
	}
	d.mu.Unlock()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		d.hear(p, lines.Text())
	}
	d.mu.Lock()
	delete(d.peers, p)
	d.mu.Unlock()
	d.notify()
}

func (d *Drain) hear(p *peer, line string) {
	verb, rest, _ := strings.Cut(line, " ")
	number, what, _ := strings.Cut(rest, " ")
	n, _ := strconv.Atoi(number)
	d.mu.Lock()
	switch verb {
	case "hello":
		p.worker, p.python = what == "worker", what == "python"
		d.heard = true
	case "blocked", "unblocked":
		p.blocked = verb == "blocked"
	case "idle":
		p.idle, p.heard = n, n
	case "busy":
		p.heard = n
		p.work = what
	}
	d.mu.Unlock()
	if verb == "lost" {
		d.cfg.Logger.Warn("a process of the app cannot tell whether it has work left after its response; SLUICE_BUSY_PATH names a path that tells", "error", rest)
	}
	if verb == "due" {
		d.cfg.Logger.Info(fmt.Sprintf("%s: one of %v, set by %s", settings.TimerDue, time.Duration(n)*time.Millisecond, what))
	}
	if verb == "idle" && what != "" {
		d.cfg.Logger.Warn("work of the app has waited for so long that it counts no more: it is frozen, and goes on at the next request: " + what)
	}
	d.notify()
}

func (d *Drain) notify() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// say sends a line; a peer that does not read within a second is not waited for.
func (p *peer) say(line string) {
	_ = p.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = p.conn.Write([]byte(line))
}

func (p *peer) ask(verb string, n int) {
	p.work = ""
	p.say(fmt.Sprintf("%s %d\n", verb, n))
}

// forgetLimit is how long a busy process may take to hear that its work is standing.
const forgetLimit = 200 * time.Millisecond

// Forget makes all that is under way standing work, for which no invocation is held any more. It returns when every process has
// heard it, for work that a request begins after it must count.
func (d *Drain) Forget(ctx context.Context) { d.standing(ctx, "forget") }

// Started is Forget for the end of the app's start, of which some work counts for Config.StartLimit.
func (d *Drain) Started(ctx context.Context) { d.standing(ctx, "started") }

const renew = "renew" // for processes of Python alone; Node's have a script of their own (package snapshot)

// Renew has every process of Python seed its generators of random numbers anew, after a restore from a snapshot. It returns when all have.
func (d *Drain) Renew(ctx context.Context) error {
	if _, _, err := d.ask(ctx, renew); err != nil {
		return fmt.Errorf("a process of Python does not seed its random numbers anew: %w", cmp.Or(context.Cause(ctx), err))
	}
	return nil
}

// Renews says whether there is a process that Renew reaches.
func (d *Drain) Renews() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range d.peers {
		if p.python {
			return true
		}
	}
	return false
}

func (d *Drain) standing(ctx context.Context, verb string) {
	ctx, cancel := context.WithTimeout(ctx, forgetLimit)
	defer cancel()
	if _, _, err := d.ask(ctx, verb); err != nil {
		d.cfg.Logger.Debug("a process of the app is too busy to hear what is standing", "error", err)
	}
}

// waitPeers returns when every peer is idle. Where there are several, one may have handed work to another after it was asked, so
// they have to be idle twice.
func (d *Drain) waitPeers(ctx context.Context) (work string, err error) {
	for calm := 0; calm < 2; calm++ {
		count, waited, err := d.ask(ctx, "drain")
		if waited != "" {
			work, calm = waited, 0
		}
		if err != nil || count < 2 {
			return work, err
		}
	}
	return work, nil
}

// ask says verb to every peer and waits until all have answered with idle.
func (d *Drain) ask(ctx context.Context, verb string) (count int, work string, err error) {
	d.mu.Lock()
	d.serial++
	d.round, d.verb = d.serial, verb
	count = len(d.peers)
	for p := range d.peers {
		if verb != renew || p.python {
			p.ask(verb, d.round)
		}
	}
	d.mu.Unlock()
	defer d.endRound()
	if count == 0 {
		return 0, "", nil
	}
	begun := time.Now()
	deaf := time.NewTimer(deafAfter)
	defer deaf.Stop()
	for {
		pending, doing := d.left(time.Since(begun) >= deafAfter)
		if doing != "" {
			work = doing
		}
		if !pending {
			return count, work, nil
		}
		select {
		case <-d.changed:
		case <-deaf.C:
		case <-ctx.Done():
			return count, cmp.Or(work, "no answer from a process of the app"), ctx.Err()
		}
	}
}

func (d *Drain) endRound() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.round = 0
}

// left says whether a peer is not idle, and what it does if it said so.
func (d *Drain) left(skipDeaf bool) (pending bool, doing string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range d.peers {
		if d.verb == renew && !p.python || p.idle == d.round || p.heard != d.round && (p.blocked || skipDeaf && p.worker) {
			continue
		}
		pending, doing = true, cmp.Or(doing, p.work)
	}
	return pending, doing
}
