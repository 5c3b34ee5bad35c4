package rehearse_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
)

// A rehearsal that was in the middle of its work leaves no goroutine, process,
// socket or file behind.
func TestNothingIsLeft(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts processes and sockets in /proc; run it on Linux")
	}
	t.Setenv("TMPDIR", t.TempDir())
	before := census(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w, err := rehearse.Start(ctx, demoConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{}}
	get(t, c, w.ViewerURL+"/health")
	stream, err := c.Get(w.ViewerURL + "/api/probe/sse?events=1000&interval=20")
	if err != nil {
		t.Fatal(err)
	}
	feed, err := c.Get(w.TimelineURL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	if now := census(t); now.processes <= before.processes || now.sockets <= before.sockets || now.files == 0 {
		t.Fatalf("a rehearsal at work shows as %+v, before it %+v: the test counts wrongly", now, before)
	}
	begin := time.Now()
	if err := w.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
	stream.Body.Close()
	feed.Body.Close()
	c.CloseIdleConnections()
	defer func() {
		if t.Failed() {
			buf := make([]byte, 1<<20)
			t.Logf("goroutines:\n%s", buf[:runtime.Stack(buf, true)])
		}
	}()
	testkit.Wait(t, 10*time.Second, "no more than before, which was "+fmt.Sprintf("%+v", before), func() (string, bool) {
		after := census(t)
		return fmt.Sprintf("%+v", after), after.within(before)
	})
}

// A start that fails leaves nothing either.
func TestNothingIsLeftOfAFailedStart(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	cfg := demoConfig(t)
	cfg.App.Env = map[string]string{"AWS_REGION": "is reserved"}
	if _, err := rehearse.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("a reserved name in the environment: %v", err)
	}
	if left := census(t); left.files != 0 {
		t.Errorf("%d files are left", left.files)
	}
}

type counts struct{ goroutines, processes, sockets, files int }

// within tells that there is no more of anything. Less there may be: what an
// earlier test had still to end.
func (c counts) within(before counts) bool {
	return c.goroutines <= before.goroutines && c.processes <= before.processes && c.sockets <= before.sockets && c.files <= before.files
}

func census(t *testing.T) counts {
	t.Helper()
	c := counts{goroutines: runtime.NumGoroutine(), processes: descendants(os.Getpid())}
	descriptors, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range descriptors {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, "socket:") {
			c.sockets++
		}
	}
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c.files = len(entries)
	return c
}

// descendants counts the processes below one.
func descendants(pid int) int {
	n := 0
	tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, file := range tasks {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, child := range strings.Fields(string(data)) {
			id, err := strconv.Atoi(child)
			if err == nil {
				n += 1 + descendants(id)
			}
		}
	}
	return n
}
