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

// TestCompletion: flags that take a word, and what "help" is about, are completed.
func TestCompletion(t *testing.T) {
	for args, want := range map[string]string{
		"mount --fill":      "sequential off full :4",
		"mount --log-level": "info debug warn error :4",
		"help cache":        "gc ls path rm verify :4",
		"help nosuch":       ":4",
	} {
		var out, errors strings.Builder
		execute(t.Context(), append(append([]string{"__complete"}, strings.Fields(args)...), ""), &out, &errors)
		if got := strings.Join(strings.Fields(out.String()), " "); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}

// TestDefaults: the help and the manual pages tell what a flag is when it is not given,
// where that is something.
func TestDefaults(t *testing.T) {
	var help, errors strings.Builder
	execute(t.Context(), []string{"mount", "--help"}, &help, &errors)
	if !strings.Contains(help.String(), "(default 30s)") || strings.Contains(help.String(), "(default -1)") {
		t.Error(help.String())
	}
	var page strings.Builder
	if err := helperPage().Write(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"(default 30s)", "(default sequential)", "(default auto)"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("mount.zsyncfs(8) has no %s", want)
		}
	}
}
