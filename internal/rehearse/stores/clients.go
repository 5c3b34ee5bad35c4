package stores

import (
	"net"
	"regexp"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/timeline"
)

// FirstBoot is what a process that prepares an empty database calls itself to Mongo.
// It runs outside of the rehearsed path, and no environment is its owner.
const FirstBoot = "first-boot"

// clients knows which environment holds a connection to the database. Before Follow
// it knows of none.
type clients struct {
	mu        sync.Mutex
	lambda    *lambda.Emulator
	record    timeline.Record
	connected map[string]bool // environments
	looking   sync.WaitGroup
}

// Follow tells the stores who runs the environments that will connect: from now on
// the guard's findings name the request that a command served, and the timeline shows
// when an app opens its first connection to the database, which is when it has loaded
// its modules.
func (s *Stores) Follow(environments *lambda.Emulator, record timeline.Record) {
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	s.clients.lambda, s.clients.record, s.clients.connected = environments, record, map[string]bool{}
}

// caller names what a connection to Mongo serves: the request of the environment
// that holds it. An environment serves one request at a time, so this holds also
// where the driver's pool lends the connection to work that an earlier request has
// left behind. Where the machine does not say whose a connection is, the answer is
// "unknown".
func (c *clients) caller(app string, remote net.Addr) func() guard.Caller {
	if app == FirstBoot {
		return always(guard.Caller{What: "the first boot, outside of the path"})
	}
	c.mu.Lock()
	environments := c.lambda
	c.mu.Unlock()
	address, ok := remote.(*net.TCPAddr)
	if environments == nil || !ok {
		return always(guard.Caller{})
	}
	environment, err := environments.Owner(address.AddrPort())
	if err != nil {
		return always(guard.Caller{What: "unknown (" + err.Error() + ")"})
	}
	if environment == "" {
		return always(guard.Caller{What: "a client outside of the path"})
	}
	return func() guard.Caller { return at(environments, environment) }
}

func always(who guard.Caller) func() guard.Caller { return func() guard.Caller { return who } }

// at is what an environment does now.
func at(environments *lambda.Emulator, environment string) guard.Caller {
	work, _ := environments.Work(environment)
	who := guard.Caller{Environment: environment, Request: work.Request}
	switch {
	case work.State == timeline.Init:
		who.What = "the app's start"
	case work.Path == "":
		who.What = "work between requests"
	default:
		who.What = work.Method + " " + route(work.Path)
	}
	return who
}

// ids are the parts of a path by which requests to one route differ: UUIDs, Mongo's
// ids, and other words of 16 and more letters with a digit among them.
var ids = regexp.MustCompile(`/[\w~-]{15,}[\w~.-]*`)

// route is a path with ":id" for each id, so that one route is reported once.
func route(path string) string {
	return ids.ReplaceAllStringFunc(path, func(part string) string {
		if !hasDigit.MatchString(part) {
			return part
		}
		return "/:id"
	})
}

var hasDigit = regexp.MustCompile(`\d`)

// connect records an environment's first connection. Whose it is takes a millisecond
// or more to find out, for which the connection does not wait.
func (c *clients) connect(app string, remote net.Addr) {
	now := time.Now()
	address, ok := remote.(*net.TCPAddr)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lambda == nil || !ok || app == FirstBoot {
		return
	}
	environments, record := c.lambda, c.record
	c.looking.Go(func() {
		environment, err := environments.Owner(address.AddrPort())
		if err == nil && environment != "" && c.first(environment) {
			record.Emit(timeline.Event{Time: now, Kind: timeline.EnvironmentStep, Environment: environment, Note: "require"})
		}
	})
}

func (c *clients) first(environment string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.connected[environment]
	c.connected[environment] = true
	return !known
}

// Close waits for the owners that are being looked up.
func (c *clients) Close() error {
	c.mu.Lock()
	c.lambda = nil
	c.mu.Unlock()
	c.looking.Wait()
	return nil
}
