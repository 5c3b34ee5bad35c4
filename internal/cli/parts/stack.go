package parts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/ui"
)

// NewStack declares stack.
func NewStack(p *command.Program) *cobra.Command {
	source := command.Stack{}
	cmd := &cobra.Command{
		Use:   "stack",
		Short: "Show the topology that a plan, a state or the embedded extract describes",
		Example: `  sluice stack
  tofu show -json tfplan > plan.json && sluice stack --plan plan.json --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runStack(cmd.Context(), p, source) },
	}
	source.AddFlags(cmd, cmd.Flags())
	return cmd
}

func runStack(_ context.Context, p *command.Program, source command.Stack) error {
	s, err := source.Load()
	if err != nil {
		return err
	}
	shown := redact(s)
	if p.JSON {
		return p.WriteJSON(shown)
	}
	return errors.Join(
		writeDistribution(p.Out, shown.Distribution),
		writeRestAPI(p.Out, shown.RestAPI),
		writeFunction(p.Out, shown.Function),
		writeStores(p.Out, shown),
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
	if s.RestAPI.APIKey != "" {
		out.RestAPI.APIKey = redacted
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
		rows = append(rows, []string{cmp.Or(b.PathPattern, "(default)"), b.TargetOriginID, strings.Join(b.AllowedMethods, " "), cmp.Or(b.CachePolicy.Name, b.CachePolicy.ID), cmp.Or(strings.Join(functions, ", "), "–")})
	}
	origins := [][]string{{"ORIGIN", "KIND", "PATH", "READ TIMEOUT", "TARGET"}}
	for _, o := range d.Origins {
		kind := "REST API"
		if o.Bucket {
			kind = "bucket"
		}
		origins = append(origins, []string{o.OriginID, kind, cmp.Or(o.OriginPath, "–"), o.ReadTimeout.String(), o.Target})
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
		rows = append(rows, []string{cmp.Or(b.Bucket, "bucket"), b.Role, b.Address})
	}
	if s.Cache.Address != "" {
		rows = append(rows, []string{cmp.Or(s.Cache.ReplicationGroupID, "cache"), fmt.Sprintf("%d × %s", s.Cache.NumCacheClusters, s.Cache.NodeType), s.Cache.Address})
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
