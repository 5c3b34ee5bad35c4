package cli

import (
	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/cli/check"
	"github.com/aproorg/sluice/internal/cli/deploy"
	"github.com/aproorg/sluice/internal/cli/parts"
	"github.com/aproorg/sluice/internal/cli/up"
)

// group is a heading of --help with its commands, both in the order shown.
type group struct {
	title    string
	commands []func(*Program) *cobra.Command
}

// groups hold every command. One that is hidden may stand in any of them.
var groups = []group{
	{"Rehearse on this machine, and check a site", []func(*Program) *cobra.Command{up.NewUp, check.NewVerify, up.NewServeApp}},
	{"Deploy to AWS", []func(*Program) *cobra.Command{deploy.NewInit, deploy.NewPlan, deploy.NewDeploy, deploy.NewStatus, deploy.NewDestroy}},
	{"Parts of it", []func(*Program) *cobra.Command{parts.NewImage, parts.NewSite, parts.NewStack, parts.NewGraph, parts.NewSettings, newVersion}},
}

// The library sorts commands by name unless this global says otherwise; init,
// plan and deploy stand in the order in which a newcomer needs them.
func init() { cobra.EnableCommandSorting = false }

// newRoot is sluice with all its commands. It calls started when one of them begins:
// what fails from then on is not the command line.
func newRoot(p *Program, started func()) *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "A streaming web app on AWS Lambda: rehearsed here, deployed there, proved to stream",
		Long: `Sluice runs ` + presets.Shipped().Title + `, or any web app that streams, on AWS Lambda behind one
CloudFront domain. It rehearses the whole path on this machine, deploys it with
Terraform, and proves that it streams.`,
		Example: `  sluice up                        rehearse the demo app
  sluice verify http://127.0.0.1:8080`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	root.SetUsageTemplate(usageTemplate)
	root.PersistentFlags().BoolVar(&p.JSON, "json", false, "write JSON for machines, one value a line")
	root.PersistentFlags().SortFlags = false
	for _, group := range groups {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, add := range group.commands {
			cmd := add(p)
			cmd.GroupID = group.title
			markStart(cmd, started)
			cmd.Flags().SortFlags = false
			root.AddCommand(cmd)
		}
	}
	return root
}

// markStart has a command, and those below it, call started before they run: the
// library's own checks of the command line are over then.
func markStart(cmd *cobra.Command, started func()) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			started()
			return run(cmd, args)
		}
	}
	for _, below := range cmd.Commands() {
		markStart(below, started)
	}
}

// usageTemplate shows, beside what the library's does, the exit codes.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND [FLAGS]{{else}}{{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$all := .Commands}}{{range $group := .Groups}}

{{.Title}}:{{range $all}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{else}}

Commands:{{range $all}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

Exit codes:
{{if index .Annotations "exit"}}{{index .Annotations "exit"}}{{else}}  0  done
  1  it failed; standard error says why{{end}}
  2  the command line is wrong
  130  interrupted
{{if .HasAvailableSubCommands}}
"sluice COMMAND --help" tells more about a command.
{{end}}`
