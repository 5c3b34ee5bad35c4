package coldstart

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/testkit"
)

// answering answers the first line and keeps the connection.
func answering(c net.Conn) {
	if _, err := c.Read(make([]byte, 100)); err == nil {
		c.Write([]byte("-NOAUTH"))
		testkit.Hold(c)
	}
}

func TestReach(t *testing.T) {
	good, mute := testkit.Accept(t, answering).String(), testkit.Accept(t, testkit.Hold).String()
	env := []string{"GOOD=redis://:hunter2@" + good, "SET=mongodb://u:hunter2@127.0.0.1:1," + good + "/db?replicaSet=x", "CLOSED=redis://:hunter2@127.0.0.1:1",
		"MUTE=mongodb://u:hunter2@" + mute + "/db", "DNS=redis://:hunter2@nowhere.invalid:6379", "WORD=hunter2", "PORT=ftp://hunter2"}
	for name, want := range map[string]string{
		"GOOD": "", "SET": "",
		"CLOSED": "CLOSED: 127.0.0.1:1 refuses connections",
		"MUTE":   "MUTE: " + mute + " accepts connections and does not answer within 3s",
		"DNS":    "DNS: the host of nowhere.invalid:6379 ",
		"WORD":   "WORD: it is not a URI",
		"PORT":   "PORT: it names no host and port",
		"UNSET":  "UNSET: it is not set",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			_, err := Run(t.Context(), Config{ColdStart: settings.ColdStart{Reach: []string{name}}}, env)
			if want == "" && err != nil {
				t.Error(err)
			}
			if want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("%v, want %s", err, want)
			}
			if took := time.Since(begun); took > 8*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A server that is being started again is waited for.
func TestReachWaitsForARestart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	started := make(chan net.Listener, 1)
	time.AfterFunc(300*time.Millisecond, func() {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return
		}
		started <- l
		if c, err := l.Accept(); err == nil { // once, and no loop
			answering(c)
			c.Close()
		}
	})
	if _, err := Run(t.Context(), Config{ColdStart: settings.ColdStart{Reach: []string{"A"}}}, []string{"A=redis://" + address}); err != nil {
		t.Error(err)
	}
	(<-started).Close()
}
