package rehearsal

import (
	"fmt"
	"strings"

	"github.com/aproorg/sluice/internal/rehearse/stores"
)

// Budget is how many connections to the stores environments hold.
type Budget struct {
	Environments int
	Mongo        int
	Redis        int // -1 where a real Redis is used, whose connections are not seen

	// MostMongo and MostRedis are the bounds of one environment.
	MostMongo, MostRedis int
}

// Budget counts the connections of this moment, of so many environments. Those of a
// LibreChat outside of the path, such as the first boot, count to Redis only.
func (l *LibreChat) Budget(environments int) Budget {
	b := Budget{Environments: environments, Redis: -1}
	b.MostMongo, b.MostRedis = l.cfg.Release.Connections(l.env)
	for _, client := range l.Stores.Mongo.Clients() {
		if client.App != stores.FirstBoot {
			b.Mongo += client.Open
		}
	}
	if l.Stores.Redis != nil {
		b.Redis = l.Stores.Redis.Connections().Open
	}
	return b
}

// For tells what so many environments would hold, by the mean of those that were
// counted and at most; it is empty where there were none.
func (b Budget) For(environments int) string {
	if b.Environments == 0 {
		return ""
	}
	var each, all []string
	tell := func(store string, open, most int) {
		mean := float64(open) / float64(b.Environments)
		each = append(each, fmt.Sprintf("%.1f to %s (at most %d)", mean, store, most))
		all = append(all, fmt.Sprintf("%.0f (at most %d)", mean*float64(environments), most*environments))
	}
	tell("Mongo", b.Mongo, b.MostMongo)
	if b.Redis >= 0 {
		tell("Redis", b.Redis, b.MostRedis)
	}
	return fmt.Sprintf("connections: each of %d environments held %s; %d would hold %s",
		b.Environments, strings.Join(each, " and "), environments, strings.Join(all, " and "))
}
