package command

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Renamed keeps the old name of a flag that has a new one: it sets the new flag,
// is not listed by --help, and says so on standard error. Call it once the new
// flag is defined.
func Renamed(command *cobra.Command, old, now string) {
	flag := command.Flags().Lookup(now)
	alias := command.Flags().VarPF(&renamedFlag{command: command, old: old, now: now}, old, "", "now --"+now)
	alias.NoOptDefVal = flag.NoOptDefVal
	alias.Hidden = true
}

// renamedFlag is the value of a flag by its old name.
type renamedFlag struct {
	command  *cobra.Command
	old, now string
	noticed  bool
}

func (f *renamedFlag) Set(value string) error {
	if !f.noticed {
		f.noticed = true
		_, _ = fmt.Fprintf(f.command.ErrOrStderr(), "notice: --%s is now --%s; the old name still works\n", f.old, f.now)
	}
	return f.command.Flags().Set(f.now, value) // marks the new flag as changed, too
}

// String and Type are those of the new flag. The library also calls String on a
// zero value.
func (f *renamedFlag) String() string {
	if f.command == nil {
		return ""
	}
	return f.command.Flags().Lookup(f.now).Value.String()
}

func (f *renamedFlag) Type() string { return f.command.Flags().Lookup(f.now).Value.Type() }
