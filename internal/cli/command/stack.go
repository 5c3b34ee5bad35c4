package command

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/stack"
)

// Stack is the flags that say where the topology comes from.
type Stack struct{ file, plan, state string }

// AddFlags adds the flags, of which at most one may be set.
func (s *Stack) AddFlags(command *cobra.Command, f *pflag.FlagSet) {
	f.StringVar(&s.file, "stack", "", "`FILE` with the stack, an extract of a plan (default: the one of the shipped environment)")
	f.StringVar(&s.plan, "plan", "", "`FILE` with a plan: tofu show -json PLANFILE")
	f.StringVar(&s.state, "state", "", "`FILE` with a state: tofu show -json")
	command.MarkFlagsMutuallyExclusive("stack", "plan", "state")
}

// Embedded reports whether nobody says which stack: it is the embedded one.
func (s Stack) Embedded() bool { return s.file+s.plan+s.state == "" }

// maxPlan bounds what is read of a plan or a state, which the shipped environment fills with less than 1 MB. Parsed it takes
// about ten times its size of memory.
const maxPlan = 64 << 20

// Load reads the stack that the flags name, or else the embedded one.
func (s Stack) Load() (*stack.Stack, error) {
	path := s.file + s.plan + s.state // at most one is set
	if path == "" {
		return stack.Default()
	}
	data, err := bounded.ReadFile(path, maxPlan)
	if err != nil {
		return nil, fmt.Errorf("read the stack: %w", err)
	}
	parsed, err := stack.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", path, err)
	}
	return parsed, nil
}
