package demo

import "github.com/aproorg/sluice/internal/probe/description"

// Description says by which paths the demo is checked: it has one for every check.
func Description() description.Description {
	get := func(path string) description.Request { return description.Request{Path: path} }
	at := func(path string) *description.Request { r := get(path); return &r }
	stream := func(path string) *description.Stream {
		return &description.Stream{Request: get(path), Final: `"final":true`, Clock: "at"}
	}
	return description.Description{
		App: "demo",
		Site: &description.Site{
			Routes:  []string{"/chat/0123456789abcdef", "/about", "/lab"},
			Missing: "/assets/missing.0000000000.js",
			Hashed:  `/assets/[A-Za-z0-9_-]+\.[0-9a-f]{10}\.(?:js|css)`,
		},
		API: at("/api/me"),
		Errors: []description.Expect{
			{Request: get("/api/probe/error/404"), Status: 404},
			{Request: get("/api/probe/error/403"), Status: 403},
			{Request: get("/api/probe/error/500"), Status: 500},
			{Request: get("/api/probe/error/503"), Status: 503},
			{Request: get("/api/chats/none"), Status: 401},
		},
		Login:       &description.Request{Method: "POST", Path: "/api/login", Body: `{"name":"sluice verify"}`},
		Head:        at("/api/probe/etag"),
		NoContent:   at("/api/probe/empty"),
		NotModified: at("/api/probe/etag"),
		Redirect:    &description.Expect{Request: get("/api/probe/redirect"), Status: 302, Location: "/about?from=redirect&x=%2F"},
		Cookies:     &description.Cookies{Request: get("/api/probe/cookies"), Names: []string{"probe_one", "probe_two", "probe_three"}},
		Binary: &description.Binary{Request: get("/api/probe/binary"), // the bytes 0 to 255
			SHA256: "40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880"},
		Download: &description.Download{Request: get("/api/download"), Bytes: 20 << 20},
		Upload: &description.Upload{Request: description.Request{Method: "POST", Path: "/api/probe/echo"},
			CountField: "bytes", DigestField: "sha256"},
		Distinct: []description.Distinct{{
			Request: description.Request{Method: "POST", Path: "/api/login", Body: `{"name":"sluice verify"}`}, Cookies: []string{sessionCookie},
		}},
		Stream:         stream("/api/probe/sse?events=${events}&interval=${interval_ms}"),
		Late:           stream("/api/probe/sse?events=3&interval=50&head=${late_ms}"),
		Silence:        stream("/api/probe/sse?events=4&interval=100&silence=${silence_ms}"),
		HeartbeatEvent: "ping",
	}
}
