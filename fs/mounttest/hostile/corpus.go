package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Expectation of a case.
type Expectation byte

// The expectations.
const (
	Accept Expectation = 'A'
	Refuse Expectation = 'R'
	Either Expectation = 'P'
)

// Case is one control file.
type Case struct {
	Name   string
	Expect Expectation
	// Target is the content that the target has.
	Target []byte
	// Control is the control file's content; nil for LongLine.
	Control []byte
	// Why is what is odd about it.
	Why string
}

// LongLine is the name of the case with a header line of LongLineLength bytes.
const (
	LongLine       = "header-line-100mb"
	LongLineLength = 100_000_000
)

// Load reads the corpus at dir and adds LongLine.
func Load(dir string) ([]Case, error) {
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.tsv"))
	if err != nil {
		return nil, err
	}
	var cases []Case
	for line := range strings.Lines(string(manifest)) {
		fields := strings.SplitN(strings.TrimRight(line, "\n"), "\t", 4)
		if len(fields) != 4 || len(fields[1]) != 1 || !strings.Contains("ARP", fields[1]) {
			return nil, fmt.Errorf("manifest: bad line %q", line)
		}
		c := Case{Name: fields[0], Expect: Expectation(fields[1][0]), Why: fields[3]}
		if c.Target, err = os.ReadFile(filepath.Join(dir, "targets", fields[2])); err != nil {
			return nil, err
		}
		if c.Control, err = os.ReadFile(filepath.Join(dir, c.Name, "t.dat.zsync")); err != nil {
			return nil, err
		}
		cases = append(cases, c)
	}
	long := Case{Name: LongLine, Expect: Refuse, Target: cases[0].Target, Why: "a header line of 100 MB"}
	return append(cases, long), nil
}

// longLine is the content of LongLine's control file, made as it is read.
type longLine struct{}

const longLineStart = "zsync: 0.6.2\nFilename: "

func (longLine) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = 'a'
		if at := off + int64(i); at < int64(len(longLineStart)) {
			p[i] = longLineStart[at]
		}
	}
	return len(p), nil
}
