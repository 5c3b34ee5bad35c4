package bootstrap

import (
	"net"
	"strconv"
	"testing"
)

// TestPortsLieOutsideOfTheEphemeralRange: what is picked now can still be opened by an app that needs long to start.
func TestPortsLieOutsideOfTheEphemeralRange(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		address, err := appAddress("127.0.0.1", 0)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := net.SplitHostPort(address)
		if port, _ := strconv.Atoi(text); port < 10000 || port >= 32768 {
			t.Errorf("port %s", text)
		}
		seen[address] = true
	}
	if len(seen) < 15 {
		t.Errorf("20 bootstraps would share %d ports", len(seen))
	}
	if _, err := appAddress("192.0.2.1", 0); err == nil {
		t.Error("a port was found at an address that is not this machine's")
	}
	if address, err := appAddress("127.0.0.1", 3080); err != nil || address != "127.0.0.1:3080" {
		t.Errorf("%s, %v", address, err)
	}
}
