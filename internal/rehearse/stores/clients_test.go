package stores

import "testing"

func TestRoute(t *testing.T) {
	for path, want := range map[string]string{
		"/api/messages/0b9d2f8e-6d3c-4b2e-9f63-5d8e2f1a7c44":       "/api/messages/:id",
		"/api/convos/6740f5b1c2d3e4f5a6b7c8d9/fork":                "/api/convos/:id/fork",
		"/api/agents/agent_V1StGXR8_Z5jdHi6B/files":                "/api/agents/:id/files",
		"/api/agents/chat/Rehearsal":                               "/api/agents/chat/Rehearsal",
		"/api/prompts/groups":                                      "/api/prompts/groups",
		"/api/permissions-of-everyone/x":                           "/api/permissions-of-everyone/x",
		"/images/0123456789abcdef0123/f0123456789abcdef012345.png": "/images/:id/:id",
		"/": "/",
	} {
		if got := route(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
