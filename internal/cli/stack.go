package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/ui"
)

// stackSource are the flags that say where the topology comes from.
type stackSource struct{ file, plan, state string }

func (s *stackSource) addFlags(command *cobra.Command, f *pflag.FlagSet) {
	f.StringVar(&s.file, "stack", "", "`FILE` with the stack, an extract of a plan (default: the one of the shipped environment)")
	f.StringVar(&s.plan, "plan", "", "`FILE` with a plan: tofu show -json PLANFILE")
	f.StringVar(&s.state, "state", "", "`FILE` with a state: tofu show -json")
	command.MarkFlagsMutuallyExclusive("stack", "plan", "state")
}

// load reads the topology that was asked for, or the embedded one.
// embedded reports whether nobody says which stack.
func (s stackSource) embedded() bool { return s.file+s.plan+s.state == "" }

func (s stackSource) load() (*stack.Stack, error) {
	path := s.file + s.plan + s.state // at most one is set
	if path == "" {
		return stack.Default()
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the stack: %w", err)
	}
	parsed, err := stack.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", path, err)
	}
	return parsed, nil
}

func newStack(a *app) *cobra.Command {
	source := stackSource{}
	command := &cobra.Command{
		Use:   "stack",
		Short: "Show the topology that a plan, a state or the embedded extract describes",
		Example: `  sluice stack
  tofu show -json tfplan > plan.json && sluice stack --plan plan.json --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runStack(cmd.Context(), a, source) },
	}
	source.addFlags(command, command.Flags())
	return command
}

func runStack(_ context.Context, a *app, source stackSource) error {
	s, err := source.load()
	if err != nil {
		return err
	}
	shown := redact(s)
	if a.json {
		return ui.NewJSON(a.Out).Write(shown)
	}
	return errors.Join(
		writeDistribution(a.Out, shown.Distribution),
		writeRestAPI(a.Out, shown.RestAPI),
		writeFunction(a.Out, shown.Function),
		writeStores(a.Out, shown),
	)
}

const redacted = "[redacted]"

// redact copies a stack without the values that make the API trust its distribution.
func redact(s *stack.Stack) *stack.Stack {
	out := *s
	out.Distribution.Origins = slices.Clone(s.Distribution.Origins)
	for i := range out.Distribution.Origins {
		o := &out.Distribution.Origins[i]
		o.CustomHeaders = slices.Clone(o.CustomHeaders)
		for j := range o.CustomHeaders {
			o.CustomHeaders[j].Value = redacted
		}
	}
	out.Function.Environment = maps.Clone(s.Function.Environment)
	for name := range out.Function.Environment {
		if strings.Contains(name, "SECRET") {
			out.Function.Environment[name] = redacted
		}
	}
	return &out
}

func writeDistribution(w io.Writer, d stack.Distribution) error {
	rows := [][]string{{"PATH", "ORIGIN", "METHODS", "CACHE", "FUNCTIONS"}}
	for _, b := range append(slices.Clone(d.OrderedCacheBehaviors), d.DefaultCacheBehavior) {
		var functions []string
		for _, f := range b.Functions {
			functions = append(functions, f.Name+" at "+f.EventType)
		}
		rows = append(rows, []string{or(b.PathPattern, "(default)"), b.TargetOriginID, strings.Join(b.AllowedMethods, " "), or(b.CachePolicy.Name, b.CachePolicy.ID), or(strings.Join(functions, ", "), "–")})
	}
	origins := [][]string{{"ORIGIN", "KIND", "PATH", "READ TIMEOUT", "TARGET"}}
	for _, o := range d.Origins {
		kind := "REST API"
		if o.Bucket {
			kind = "bucket"
		}
		origins = append(origins, []string{o.OriginID, kind, or(o.OriginPath, "–"), o.ReadTimeout.String(), o.Target})
	}
	return errors.Join(heading(w, "Distribution", d.Address), ui.Table(w, rows), line(w), ui.Table(w, origins), line(w))
}

func writeRestAPI(w io.Writer, api stack.RestAPI) error {
	rows := [][]string{{"RESOURCE", "METHOD", "INTEGRATION", "TRANSFER", "TIMEOUT"}}
	for _, r := range api.Resources {
		for _, m := range r.Methods {
			rows = append(rows, []string{r.Path, m.HTTPMethod, m.Integration.Type, m.Integration.ResponseTransferMode, m.Integration.Timeout.String()})
		}
	}
	return errors.Join(heading(w, "REST API "+api.Name+", stage "+api.StageName, api.Address), ui.Table(w, rows), line(w))
}

func writeFunction(w io.Writer, f stack.Function) error {
	rows := [][]string{
		{"memory", fmt.Sprintf("%d MB", f.MemorySize)}, {"timeout", f.Timeout.String()},
		{"architecture", f.Architecture}, {"/tmp", fmt.Sprintf("%d MB", f.EphemeralStorage)},
		{"reserved concurrency", fmt.Sprint(f.ReservedConcurrency)}, {"image", f.ImageURI},
	}
	for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
		rows = append(rows, []string{name, ui.Clean(f.Environment[name])})
	}
	return errors.Join(heading(w, "Function "+f.FunctionName, f.Address), ui.Table(w, rows), line(w))
}

func writeStores(w io.Writer, s *stack.Stack) error {
	rows := [][]string{{"STORE", "ROLE", "ADDRESS"}}
	for _, b := range s.Buckets {
		rows = append(rows, []string{or(b.Bucket, "bucket"), b.Role, b.Address})
	}
	if s.Cache.Address != "" {
		rows = append(rows, []string{or(s.Cache.ReplicationGroupID, "cache"), fmt.Sprintf("%d × %s", s.Cache.NumCacheClusters, s.Cache.NodeType), s.Cache.Address})
	}
	return errors.Join(heading(w, "Stores", ""), ui.Table(w, rows))
}

func heading(w io.Writer, title, address string) error {
	text := title
	if address != "" {
		text += "  (" + address + ")"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func line(w io.Writer) error {
	_, err := fmt.Fprintln(w)
	return err
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
