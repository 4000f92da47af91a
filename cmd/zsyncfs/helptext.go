package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageTemplate is what follows a command's description in its help, for all
// commands.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND [flags]{{else}}{{.UseLine}}{{end}}
{{- if .HasExample}}

Examples:
{{.Example}}
{{- end}}
{{- if .HasAvailableSubCommands}}

Commands:
{{- range .Commands}}{{if or .IsAvailableCommand (eq .Name "help")}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{- end}}
{{- if .HasAvailableLocalFlags}}

Flags:
{{flagUsages .LocalFlags}}
{{- end}}
{{- if .HasAvailableInheritedFlags}}

Global flags:
{{flagUsages .InheritedFlags}}
{{- end}}
{{- if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" tells more about a command.
{{- end}}
`

// flagUsages is the list of flags, without the "[=true|false]" that pflag puts
// behind every switch, and without the -1 of numbers that were not given.
func flagUsages(flags *pflag.FlagSet) string {
	const noise = "[=true|false]"
	text := strings.ReplaceAll(flags.FlagUsages(), noise, strings.Repeat(" ", len(noise)))
	text = strings.ReplaceAll(text, " (default -1)", "")
	return strings.TrimRight(text, "\n")
}

func init() { cobra.AddTemplateFunc("flagUsages", flagUsages) }
