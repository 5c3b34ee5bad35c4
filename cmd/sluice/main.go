// Sluice rehearses, deploys and verifies a web application on AWS Lambda behind one CloudFront domain. Run it without
// arguments for its commands.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aproorg/sluice/internal/cli"
	"github.com/aproorg/sluice/internal/provider"
	"github.com/aproorg/sluice/internal/provider/plugin"
	"github.com/aproorg/sluice/internal/seal"
)

// echo is how long the same signal may come again without being a second wish: timeout(1) and some shells send it to
// the program and to its process group.
const echo = 300 * time.Millisecond

func main() {
	_ = seal.EraseEnvironment() // where it fails, an app in a rehearsal without a sandbox may read the variables, as any process of the user can
	if plugin.Started(os.Args[0]) {
		os.Exit(servePlugin())
	}
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup(1) wants the program to outlive the terminal
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, func() { // a second signal ends the program at once
		time.Sleep(echo)
		stop()
	})
	code := cli.Run(ctx, cli.Program{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Getenv: os.Getenv, Executable: os.Executable,
	}, os.Args[1:])
	stop()
	os.Exit(code)
}

// servePlugin is the same executable as OpenTofu and Terraform start it. They end it themselves: Ctrl-C goes to them.
func servePlugin() int {
	if err := provider.Serve(context.Background(), provider.Version); err != nil {
		fmt.Fprintln(os.Stderr, "sluice as a Terraform provider:", err)
		return 1
	}
	return 0
}
