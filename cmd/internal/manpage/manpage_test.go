package manpage

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func samplePage() *Page {
	flags := pflag.NewFlagSet("prog", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringP("output", "o", "", "write to `FILE`")
	flags.Bool("dry-run", false, "only say")
	flags.Int("count", 3, "how many")
	flags.Bool("secret", false, "not shown")
	flags.Lookup("secret").Hidden = true
	return &Page{
		Name: "prog-do", Section: 1, Manual: "prog manual", Version: "1.0", Summary: "do it",
		Synopsis: []string{"prog do FILE", "prog do --all"},
		Text: `Does what is asked,
in two lines.

.hidden files and C:\temp are shown:

    $ prog do ~/x   # as it is
    .done

Where it goes:
  -i, --in FILE             read FILE,
                            which is there
      --long-name-of-an-option VALUE
                            text below
Exit codes:
    0  success
   10  some of them
`,
		Flags:    []Flags{{Set: flags}},
		More:     []Chapter{{"Files", "One paragraph."}},
		Examples: "  prog do a\n  prog do b | less",
		SeeAlso:  []string{"prog(1)", "cat(1)"},
	}
}

func TestWrite(t *testing.T) {
	var b strings.Builder
	p := samplePage()
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := `.TH "PROG\-DO" "1" "" "1.0" "prog manual"
.SH "NAME"
prog\-do \- do it
.SH "SYNOPSIS"
\fBprog do FILE\fR
.br
\fBprog do \-\-all\fR
.SH "DESCRIPTION"
.PP
Does what is asked,
in two lines.
.PP
\&.hidden files and C:\etemp are shown:
.PP
.RS 4
.nf
$ prog do \(ti/x   # as it is
\&.done
.fi
.RE
.SS "Where it goes"
.TP
\fB\-i, \-\-in FILE\fR
read FILE,
which is there
.TP
\fB\-\-long\-name\-of\-an\-option VALUE\fR
text below
.SS "Exit codes"
.TP
\fB0\fR
success
.TP
\fB10\fR
some of them
.SH "OPTIONS"
.TP
\fB\-o, \-\-output\fR \fIFILE\fR
write to FILE
.TP
\fB\-\-dry\-run\fR
only say
.TP
\fB\-\-count\fR \fIint\fR
how many (default 3)
.SH "FILES"
.PP
One paragraph.
.SH "EXAMPLES"
.PP
.RS 4
.nf
prog do a
prog do b | less
.fi
.RE
.SH "SEE ALSO"
prog(1), cat(1)
`
	if got := b.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if p.File() != "prog-do.1" {
		t.Errorf("%s", p.File())
	}
}

// What is written must be good roff for those who read it.
func TestFormatter(t *testing.T) {
	man, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed")
	}
	var b strings.Builder
	if err := samplePage().Write(&b); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(man, "-man", "-ww", "-Tutf8", "-P-cbou")
	cmd.Stdin = strings.NewReader(b.String())
	var complaints strings.Builder
	cmd.Stderr = &complaints
	text, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	for _, want := range []string{"$ prog do ~/x   # as it is", ".hidden files and C:\\temp", "-o, --output FILE"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
