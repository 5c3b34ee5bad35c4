package chatapp

import (
	"fmt"
	"strings"
)

// Budget is how many connections to the stores environments hold.
type Budget struct {
	Environments int
	Mongo        int
	Redis        int // -1 where a real Redis is used, whose connections are not seen
}

// Budget counts the connections of this moment, of so many environments.
func (c *Chat) Budget(environments int) Budget {
	b := Budget{Environments: environments, Redis: -1}
	s := c.Stores()
	if s == nil {
		return b
	}
	for _, client := range s.Mongo.Clients() {
		b.Mongo += client.Open
	}
	if s.Redis != nil {
		b.Redis = s.Redis.Connections().Open
	}
	return b
}

// For tells what more environments would hold, by the mean of those that were
// counted; it is empty where there were none.
func (b Budget) For(environments int) string {
	if b.Environments == 0 {
		return ""
	}
	each := func(n int) float64 { return float64(n) / float64(b.Environments) }
	parts := []string{fmt.Sprintf("%.1f to Mongo", each(b.Mongo))}
	all := []string{fmt.Sprintf("%.0f", each(b.Mongo)*float64(environments))}
	if b.Redis >= 0 {
		parts = append(parts, fmt.Sprintf("%.1f to Redis", each(b.Redis)))
		all = append(all, fmt.Sprintf("%.0f", each(b.Redis)*float64(environments)))
	}
	return fmt.Sprintf("connections: each of %d environments held %s; %d would hold %s",
		b.Environments, strings.Join(parts, " and "), environments, strings.Join(all, " and "))
}
