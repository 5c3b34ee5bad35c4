package settings

import (
	"strings"
	"testing"
)

func TestStatuses(t *testing.T) {
	for text, want := range map[string]map[int]bool{
		"200-399,404": {199: false, 200: true, 399: true, 400: false, 404: true, 405: false},
		"404":         {200: false, 404: true},
		" 100 - 499 ": {100: true, 499: true, 500: false},
	} {
		s, err := ParseStatuses(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for status, in := range want {
			if s.Contain(status) != in {
				t.Errorf("%q holds %d: %v", text, status, !in)
			}
		}
	}
}

func TestBadStatuses(t *testing.T) {
	for text, named := range map[string]string{"200-399,4O4": `"4O4"`, "399-200": `"399-200"`, "2xx": `"2xx"`, "99": `"99"`, "200-600": `"200-600"`, "200,": `""`, "200-": `"200-"`} {
		_, err := read(map[string]string{"SLUICE_READY_STATUS": text})
		if err == nil || !strings.Contains(err.Error(), "SLUICE_READY_STATUS") || !strings.Contains(err.Error(), named) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReadyPath(t *testing.T) {
	for text, want := range map[string]string{"": "/health", "/up": "/up", "tcp": ""} {
		s, err := read(map[string]string{"SLUICE_READY_PATH": text})
		if err != nil || s.ReadyPath != want {
			t.Errorf("%q gives %q, %v", text, s.ReadyPath, err)
		}
	}
	if _, err := read(map[string]string{"SLUICE_READY_PATH": "udp"}); err == nil || !strings.Contains(err.Error(), "tcp") {
		t.Errorf("udp: %v", err)
	}
}
