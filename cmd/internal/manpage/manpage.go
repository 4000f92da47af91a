package manpage

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// Page is one manual page.
type Page struct {
	Name     string // such as "zsyncfs-mount"
	Section  int
	Manual   string // the book that it is of, such as "zsyncfs manual"
	Version  string // of the program
	Summary  string // one line, without a full stop
	Synopsis []string
	Text     string // help text
	Flags    []Flags
	Examples string // help text
	More     []Chapter
	SeeAlso  []string // such as "zsync(1)"
}

// Flags are options with a heading; "" for none.
type Flags struct {
	Title string
	Set   *pflag.FlagSet
}

// Chapter is help text with a heading in capitals.
type Chapter struct{ Title, Text string }

// File is the page's file name.
func (p *Page) File() string { return fmt.Sprintf("%s.%d", p.Name, p.Section) }

// Write writes the page as roff.
func (p *Page) Write(w io.Writer) error {
	var r roff
	r.macro(".TH", strings.ToUpper(p.Name), fmt.Sprint(p.Section), "", p.Version, p.Manual)
	r.macro(".SH", "NAME")
	r.line(p.Name + " - " + p.Summary)
	r.macro(".SH", "SYNOPSIS")
	for i, s := range p.Synopsis {
		if i > 0 {
			r.raw(".br")
		}
		r.bold(s)
	}
	r.macro(".SH", "DESCRIPTION")
	r.help(p.Text)
	for i, f := range p.Flags {
		if i == 0 {
			r.macro(".SH", "OPTIONS")
		}
		if f.Title != "" {
			r.macro(".SS", f.Title)
		}
		r.flags(f.Set)
	}
	for _, c := range p.More {
		r.macro(".SH", strings.ToUpper(c.Title))
		r.help(c.Text)
	}
	if p.Examples != "" {
		r.macro(".SH", "EXAMPLES")
		r.verbatim(strings.Split(strings.TrimRight(p.Examples, "\n"), "\n"))
	}
	if len(p.SeeAlso) > 0 {
		r.macro(".SH", "SEE ALSO")
		r.line(strings.Join(p.SeeAlso, ", "))
	}
	_, err := w.Write(r.out.Bytes())
	return err
}

// roff is a page that is being written.
type roff struct{ out bytes.Buffer }

func (r *roff) raw(line string) { r.out.WriteString(line + "\n") }

// macro writes a request with its arguments in quotes.
func (r *roff) macro(name string, args ...string) {
	for _, a := range args {
		name += ` "` + strings.ReplaceAll(escape(a), `"`, `\(dq`) + `"`
	}
	r.raw(name)
}

// line writes a line of text, which the formatter fills.
func (r *roff) line(text string) { r.raw(guard(escape(text))) }

func (r *roff) bold(text string) { r.raw(`\fB` + escape(text) + `\fR`) }

// guard keeps a line from being taken for a request.
func guard(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}

// escape makes text roff: its hyphens are those that a shell wants.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`).Replace(text)
}

// verbatim shows lines as they are, without the indentation that all have.
func (r *roff) verbatim(lines []string) {
	common := -1
	for _, l := range lines {
		if n := indent(l); strings.TrimSpace(l) != "" && (common < 0 || n < common) {
			common = n
		}
	}
	r.raw(".PP")
	r.raw(".RS 4")
	r.raw(".nf")
	for _, l := range lines {
		r.line(l[min(max(common, 0), len(l)):])
	}
	r.raw(".fi")
	r.raw(".RE")
}

// flags are the options that are not hidden, in their order.
func (r *roff) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, usage := Usage(f)
		r.raw(".TP")
		if value != "" && f.Value.Type() != "bool" {
			r.raw(`\fB` + escape(name) + `\fR \fI` + escape(value) + `\fR`)
		} else {
			r.bold(name)
		}
		r.line(usage)
	})
}

// Usage is the placeholder of a flag's value, and its text on one line, with its default.
func Usage(f *pflag.Flag) (value, text string) {
	value, text = pflag.UnquoteUsage(f)
	if def := shownDefault(f); def != "" {
		text += " (default " + def + ")"
	}
	return value, strings.ReplaceAll(text, "\n", " ")
}

// shownDefault is the default of a flag; "" where there is none, or its text has it.
func shownDefault(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "0", "false", "[]", "-1", "0s":
		return ""
	}
	if strings.Contains(f.Usage, "(default") {
		return ""
	}
	return f.DefValue
}
