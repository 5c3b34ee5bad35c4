package snapshot

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// peer is one process of Node, or one of its worker threads, that has loaded the script.
type peer struct {
	conn net.Conn
	// The rest is guarded by Processes.mu.
	pid     int
	worker  bool
	blocked bool // in Atomics.wait, after which it renews itself before it does anything else
	waiting map[int]chan answer
}

// question is a line to a process.
type question struct {
	ID       int               `json:"id"`
	Verb     string            `json:"verb"`
	Restored *Restored         `json:"restored,omitempty"`
	Env      map[string]string `json:"env,omitempty"`
}

// answer is a line of one: those with no id say which it is, and whether it is blocked.
type answer struct {
	ID        int    `json:"id"`
	PID       int    `json:"pid"`
	Worker    bool   `json:"worker"`
	Blocked   bool   `json:"blocked"`
	Error     string `json:"error"`
	Listeners int    `json:"listeners"`
	Accepted  bool   `json:"accepted"`
}

// deafAfter is how long a worker thread may say nothing.
const deafAfter = time.Second

// maxLine bounds a line of a process.
const maxLine = 64 << 10

// attend reads what one peer says until it goes.
func (p *Processes) attend(conn net.Conn) {
	c := &peer{conn: conn, waiting: map[int]chan answer{}}
	p.mu.Lock()
	p.peers[c] = true
	p.mu.Unlock()
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var a answer
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			break
		}
		p.hear(c, a)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.peers, c)
	for _, waits := range c.waiting {
		waits <- answer{}
	}
}

func (p *Processes) hear(c *peer, a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.ID == 0 {
		c.pid, c.worker, c.blocked = a.PID, a.Worker, a.Blocked
		return
	}
	if waits := c.waiting[a.ID]; waits != nil {
		delete(c.waiting, a.ID)
		waits <- a
	}
}

// ask puts a question to every peer and waits for all answers. Who ends meanwhile has nothing to answer any more.
func (p *Processes) ask(ctx context.Context, q question) ([]answer, error) {
	p.mu.Lock()
	p.serial++
	q.ID = p.serial
	asked := map[*peer]chan answer{}
	for c := range p.peers {
		waits := make(chan answer, 1)
		asked[c], c.waiting[q.ID] = waits, waits
	}
	p.mu.Unlock()
	line, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		answers []answer
		errs    []error
	)
	for c, waits := range asked {
		wg.Go(func() {
			a, err := p.put(ctx, c, waits, line)
			mu.Lock()
			defer mu.Unlock()
			answers, errs = append(answers, a), append(errs, err)
		})
	}
	wg.Wait()
	return answers, errors.Join(errs...)
}

// put asks one peer. A worker thread that is blocked, as idle ones of some pools are, or that says nothing for a while is let be: it runs no
// code of the app meanwhile.
func (p *Processes) put(ctx context.Context, c *peer, waits chan answer, line []byte) (answer, error) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.conn.Write(line) // a peer that is gone says so by its end
	if p.isBlocked(c) {
		return answer{}, nil
	}
	deaf := time.NewTimer(deafAfter)
	defer deaf.Stop()
	for {
		select {
		case a := <-waits:
			if a.Error != "" {
				return a, fmt.Errorf("%s: %s", p.name(c), a.Error)
			}
			return a, nil
		case <-deaf.C:
			if p.mayBeDeaf(c) {
				p.log.Warn(p.name(c) + " does not answer; it hears of the snapshot when it runs again")
				return answer{}, nil
			}
		case <-ctx.Done():
			return answer{}, fmt.Errorf("%s does not answer: %w", p.name(c), cmp.Or(context.Cause(ctx), ctx.Err()))
		}
	}
}

func (p *Processes) name(c *peer) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.worker || c.pid == 0 {
		return fmt.Sprintf("a worker thread of the app's process %d", c.pid)
	}
	return fmt.Sprintf("process %d of the app", c.pid)
}

func (p *Processes) isBlocked(c *peer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.blocked
}

// mayBeDeaf is true of worker threads, and of who has not said what it is: a thread that was blocked at once.
func (p *Processes) mayBeDeaf(c *peer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.worker || c.pid == 0
}
