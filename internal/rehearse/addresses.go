package rehearse

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Addresses are where a person finds a rehearsal. They are taken first: a port that
// is in use is the likeliest fault, and the cheapest to find.
type Addresses struct {
	ViewerURL   string // http://127.0.0.1:8080
	TimelineURL string

	viewer, timeline net.Listener
}

// Listen takes the site's address, DefaultListen if it is empty, and the timeline
// page's: if that is empty, one of the ten ports after the site's, or any. The
// caller hands them to Start, or closes them.
func Listen(site, timeline string) (*Addresses, error) {
	if site == "" {
		site = DefaultListen
	}
	viewer, err := listen(Viewer, site)
	if err != nil {
		return nil, err
	}
	page, err := listenTimeline(timeline, viewer.Addr())
	if err != nil {
		return nil, joinClose(err, viewer)
	}
	return &Addresses{ViewerURL: address(viewer), TimelineURL: address(page), viewer: viewer, timeline: page}, nil
}

// Close gives the addresses up. It is harmless where a server has closed them.
func (a *Addresses) Close() error {
	var failed []error
	for _, listener := range []net.Listener{a.viewer, a.timeline} {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func listenTimeline(asked string, viewer net.Addr) (net.Listener, error) {
	if asked != "" {
		return listen(TimelinePage, asked)
	}
	host, port, err := net.SplitHostPort(viewer.String())
	if err != nil {
		return nil, fmt.Errorf("start the timeline page: %w", err)
	}
	first, _ := strconv.Atoi(port) // of a listener's address: always a number
	for next := first + 1; next <= min(first+10, 65535); next++ {
		if listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(next))); err == nil {
			return listener, nil
		}
	}
	return listen(TimelinePage, net.JoinHostPort(host, "0"))
}

// address is the URL of a listener; one that takes every address is reached by
// the loopback's.
func address(listener net.Listener) string {
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return "http://" + listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
