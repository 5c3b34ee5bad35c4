package bench

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/testdeps"
)

// setting is one that might shorten a start of LibreChat.
type setting struct {
	name   string
	config rehearsal.AloneConfig
	// warm is run once before, for what a start leaves to the next one.
	warm func(b *testing.B, s *standby)
	// newNode wants a Node that has what 20 has not, and is compared with that Node.
	newNode bool
}

// BenchmarkLibreChatSettings starts `node server/index.js` with one setting each, and
// with none, in turns, and prints the ratio of their medians until it is ready; below
// 1 is faster. SLUICE_NODE22 names the program node of a version 22 or later, which
// alone has a compile cache, where it is not that of make deps.
func BenchmarkLibreChatSettings(b *testing.B) {
	releases(b, func(b *testing.B, r facts.Release) {
		s := newStandby(b, r)
		for _, set := range variants(b, r) {
			b.Run(set.name, func(b *testing.B) { s.compare(b, set) })
		}
	})
}

func variants(b *testing.B, r facts.Release) []setting {
	env := func(name, value string) setting {
		return setting{name: name + "=" + value, config: rehearsal.AloneConfig{Env: map[string]string{name: value}}}
	}
	flag := func(flags ...string) setting {
		return setting{name: strings.Join(flags, "_"), config: rehearsal.AloneConfig{Flags: flags}}
	}
	cache := b.TempDir()
	cached := func(name, dir string) setting {
		return setting{name: name, newNode: true, config: rehearsal.AloneConfig{Env: map[string]string{"NODE_COMPILE_CACHE": dir}}}
	}
	writable, readOnly := cached("NODE_COMPILE_CACHE", cache), cached("NODE_COMPILE_CACHE_read-only", cache)
	writable.warm = func(b *testing.B, s *standby) { s.filled(b, writable) }
	readOnly.warm = func(b *testing.B, s *standby) { s.filled(b, writable); lock(b, cache) }
	empty := cached("NODE_COMPILE_CACHE_empty_read-only", b.TempDir())
	empty.warm = func(b *testing.B, _ *standby) { lock(b, empty.config.Env["NODE_COMPILE_CACHE"]) }
	all := []setting{
		{name: "nothing"}, // what this machine makes of the same twice
		env("MONGO_MAX_POOL_SIZE", "1"), env("MONGO_MAX_POOL_SIZE", "10"), env("MONGO_MIN_POOL_SIZE", "3"),
		env("UV_THREADPOOL_SIZE", "2"), env("UV_THREADPOOL_SIZE", "8"),
		flag("--max-semi-space-size=64"), flag("--max-semi-space-size=16"), flag("--max-lazy"), flag("--no-opt"), flag("--no-flush-bytecode"),
		flag("--single-threaded"), // --jitless takes WebAssembly away, without which LibreChat does not start
		writable, readOnly, empty,
	}
	if r.Design == facts.GeneratesAfterPost {
		without := env("NODE_OPTIONS", "") // the script by which a start waits less for its election
		all = append(all, without)
	}
	return all
}

// lock makes a directory one that cannot be written to, as an image's is. Root may
// write all the same, so that the files are made immutable by a mount where that can be.
func lock(b *testing.B, dir string) {
	b.Helper()
	if out, err := exec.Command("mount", "--bind", "-o", "ro", dir, dir).CombinedOutput(); err != nil {
		b.Skipf("needs root, to mount a read-only directory: %v %s", err, bytes.TrimSpace(out))
	}
	b.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
}

// filled starts LibreChat twice, so that the cache has all of it, and ends it in the
// way in which Node writes the cache.
func (s *standby) filled(b *testing.B, set setting) {
	b.Helper()
	for range 2 {
		cfg := set.config
		cfg.Node = testdeps.NewNode(b)
		a, err := s.Alone(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		get(b, a.URL+firstPath)
		a.Close()
	}
}

// compare alternates which of the two comes first.
func (s *standby) compare(b *testing.B, set setting) {
	plain := rehearsal.AloneConfig{}
	if set.newNode {
		plain.Node = testdeps.NewNode(b)
		set.config.Node = plain.Node
	}
	if set.warm != nil {
		set.warm(b, s)
	}
	var with, without []time.Duration
	for n := 0; b.Loop(); n++ {
		runs := []func(){
			func() { ready, _ := s.alone(b, set.config); with = append(with, ready) },
			func() { ready, _ := s.alone(b, plain); without = append(without, ready) },
		}
		if n%2 == 1 {
			slices.Reverse(runs)
		}
		for _, run := range runs {
			run()
		}
	}
	b.ReportMetric(median(with).Seconds(), "s")
	b.ReportMetric(ratio(median(with), median(without)), "ratio")
	b.ReportMetric(ratio(slices.Min(with), slices.Min(without)), "ratio_min")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLibreChatReadyInterval compares SLUICE_READY_INTERVAL with its default, under
// the bootstrap.
func BenchmarkLibreChatReadyInterval(b *testing.B) {
	releases(b, func(b *testing.B, r facts.Release) {
		s := newStandby(b, r)
		for _, interval := range []string{"50ms", "100ms"} {
			b.Run(interval, func(b *testing.B) {
				var with, without []time.Duration
				for b.Loop() {
					with = append(with, s.bootstrap(b, map[string]string{"SLUICE_READY_INTERVAL": interval, "SLUICE_READY_ATTEMPTS": "10000"}).ready)
					without = append(without, s.bootstrap(b, nil).ready)
				}
				b.ReportMetric(median(with).Seconds(), "s")
				b.ReportMetric(ratio(median(with), median(without)), "ratio")
				b.ReportMetric(0, "ns/op")
			})
		}
	})
}
