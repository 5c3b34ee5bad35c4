package environment

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// local is an address of this machine, and what stands before and after it.
	local = regexp.MustCompile(`(?:([a-z][a-z0-9+.-]*)://)?(?:[^\s/@,]*@)?(?:127\.0\.0\.1|localhost|\[::1\])(?::(\d{1,5}))?`)
	// more is a further address of one URI, as MongoDB's may have.
	more = regexp.MustCompile(`,(?:127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})`)
	// bare is an address alone, whose port stands in a variable of its own.
	bare = regexp.MustCompile(`^(?:127\.0\.0\.1|localhost|::1)$`)
)

// usual are the ports of schemes, and of names that variables begin with.
var usual = map[string]string{
	"postgres": "5432", "postgresql": "5432", "pg": "5432", "mysql": "3306", "mariadb": "3306", "mongodb": "27017", "mongo": "27017",
	"redis": "6379", "valkey": "6379", "amqp": "5672", "nats": "4222", "http": "80", "https": "443",
}

// namedPorts finds the ports of servers on this machine that variables name: by an address
// with its port (127.0.0.1:6379), a URL (postgres://me@localhost/shop), or a host and a port
// in two variables (PGHOST and PGPORT).
func namedPorts(variables []string) []string {
	values := map[string]string{}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		values[name] = value
	}
	var ports []string
	add := func(port string) {
		if n, err := strconv.Atoi(port); err == nil && n > 0 && n < 1<<16 {
			ports = append(ports, strconv.Itoa(n))
		}
	}
	for name, value := range values {
		for _, m := range local.FindAllStringSubmatch(value, -1) {
			if m[2] != "" {
				add(m[2])
			} else {
				add(usual[strings.ToLower(m[1])])
			}
		}
		for _, m := range more.FindAllStringSubmatch(value, -1) {
			add(m[1])
		}
		prefix, ok := strings.CutSuffix(name, "HOST")
		if !ok || prefix == "" || !bare.MatchString(value) {
			continue
		}
		if port, ok := values[prefix+"PORT"]; ok {
			add(port)
		} else {
			add(usual[strings.ToLower(strings.TrimSuffix(prefix, "_"))])
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
