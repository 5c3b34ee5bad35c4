// Package freeport picks a TCP port for a program that opens it later, such as an app that starts for seconds. It keeps nothing
// open: another program may still take the port.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports that are picked from lie below those that Linux gives to connections and
// to listeners that ask for any: one of those may be taken until the program opens it, above all in a
// rehearsal, whose environments share a machine's.
const (
	first = 10000
	count = 22000
	tries = 50
)

// Pick returns a port that is free at the host's address. It is one at random, so that programs that pick side by side
// differ.
func Pick(host string) (port int, err error) {
	for range tries {
		port = first + rand.IntN(count)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, err
}
