package up

import (
	"context"
	"flag"

	"github.com/spf13/pflag"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/rehearse"
)

// functionSource are the flags of up that name a Lambda function, and its rehearsal.
type functionSource struct {
	dir, handler string
	extensions   []string

	app rehearse.App
}

func (o *functionSource) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.dir, "function", "", "`DIR` of a Lambda function that asks for invocations itself: seen at /var/task, run by --command\n(default: ./bootstrap in it), with no bootstrap of Sluice's and no readiness")
	f.StringVar(&o.handler, "handler", "", "`HANDLER` of the function, as _HANDLER (default: the last word of --command)")
	f.StringArrayVar(&o.extensions, "extension", nil, "`PROGRAM` that runs beside the function as those in /opt/extensions do; may be repeated")
}

// Flags are those of addFlags: a function is no preset.
func (*functionSource) Flags(*flag.FlagSet) {}

// Check looks at the function's directory.
func (o *functionSource) Check(_ context.Context, request apps.Request) (err error) {
	if request.Name != presets.Rehearsed().Name {
		return command.Usagef("--function goes without --app: it is what runs")
	}
	if err := request.Refuse("Lambda asks a function for nothing but answers", "--command", "--app-port"); err != nil {
		return err
	}
	o.app, err = request.LambdaFunction(o.dir, o.handler, o.extensions)
	return err
}

// Start has nothing to bring up beside a function.
func (o *functionSource) Start(context.Context, string) (apps.Prepared, error) {
	return apps.Prepared{App: o.app}, nil
}
