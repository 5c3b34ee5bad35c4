package rehearsal

import (
	"net"
	"regexp"

	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/timeline"
)

// firstBootName is what the process that makes the indexes calls itself to Mongo.
const firstBootName = "first-boot"

func (c *Chat) started(w *rehearse.World) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.world = w
	c.required.follow(w)
}

// caller tells whose request a connection to Mongo serves: that of the
// environment which holds it. An environment serves one request at a time, so
// that it is the right one also where the driver's pool lends the connection to
// work that an earlier request has left behind. It is told as "unknown" where the
// machine does not say whose a connection is.
func (c *Chat) caller(app string, remote net.Addr) func() guard.Caller {
	if app == firstBootName {
		return only(guard.Caller{What: "the first boot, outside of the path"})
	}
	c.mu.Lock()
	world := c.world
	c.mu.Unlock()
	address, ok := remote.(*net.TCPAddr)
	if world == nil || !ok {
		return only(guard.Caller{})
	}
	environment, err := world.Lambda.Owner(address.AddrPort())
	if err != nil {
		return only(guard.Caller{What: "unknown (" + err.Error() + ")"})
	}
	if environment == "" {
		return only(guard.Caller{What: "a client outside of the path"})
	}
	return func() guard.Caller { return at(world, environment) }
}

func only(who guard.Caller) func() guard.Caller { return func() guard.Caller { return who } }

// at is what an environment does now.
func at(world *rehearse.World, environment string) guard.Caller {
	work, _ := world.Lambda.Work(environment)
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

// ids are the parts of a path by which requests to one route differ: UUIDs,
// Mongo's ids, and other words of 16 and more letters with a digit among them.
var ids = regexp.MustCompile(`/[\w~-]{15,}[\w~.-]*`)

// route is a path whose ids are written as ":id", so that one route is told once.
func route(path string) string {
	return ids.ReplaceAllStringFunc(path, func(part string) string {
		if !hasDigit.MatchString(part) {
			return part
		}
		return "/:id"
	})
}

var hasDigit = regexp.MustCompile(`\d`)
