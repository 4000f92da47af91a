package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp: every command that a user can call has an example in its help, and what it
// shows calls that command; a flag that is misspelt is told the nearest.
func TestHelp(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if !c.IsAvailableCommand() && c.HasParent() || c.Name() == "help" || c.CommandPath() == "zsyncfs completion" || c.HasParent() && c.Parent().Name() == "completion" {
			return
		}
		var help, errors strings.Builder
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := execute(t.Context(), args, &help, &errors); code != 0 {
			t.Errorf("%v: exit code %d: %s", args, code, errors.String())
		}
		if !strings.Contains(help.String(), "\nExamples:\n") || !strings.Contains(c.Example, c.Root().Name()) {
			t.Errorf("%s has no example: %q", c.CommandPath(), c.Example)
		}
		if c.Runnable() && !c.HasAvailableSubCommands() && c.LocalFlags().Lookup("json") != nil {
			errors.Reset()
			execute(t.Context(), append(strings.Fields(c.CommandPath())[1:], "--jsno"), &help, &errors)
			if !strings.Contains(errors.String(), `did you mean "--json"?`) {
				t.Errorf("%s --jsno: %s", c.CommandPath(), errors.String())
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot())
}
