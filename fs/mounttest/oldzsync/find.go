package oldzsync

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// debianFolder is where Debian's package has both programs. It counts even when
// it is not on the PATH.
const debianFolder = "/usr/bin"

const (
	answersWithin = 10 * time.Second // how long a program may take to say its version
	answerLength  = 4 << 10          // bytes of the answer that are looked at
)

// versionLine is how both programs begin to say their version:
//
//	zsync v0.6.2 (compiled Jan 16 2023 22:02:35)
//	zsync v0.6.2 (zsyncmake compiled Jan 16 2023 22:02:35)
//	By Colin Phipps <cph@moria.org.uk>
var versionLine = regexp.MustCompile(`^zsync v([0-9][0-9.]*)\S* \((zsyncmake )?compiled .*\nBy Colin Phipps `)

// MissingError says that there is none of the programs that were looked for.
type MissingError struct {
	Program string   // "zsync" or "zsyncmake"
	Version string   // as given to Find
	Others  []string // the programs of that name, each with why it is not the one
}

func (e *MissingError) Error() string {
	if len(e.Others) == 0 {
		return fmt.Sprintf("%s %s is not installed: there is no %s on the PATH or in %s", e.Program, e.Version, e.Program, debianFolder)
	}
	return fmt.Sprintf("%s %s is not installed: %s", e.Program, e.Version, strings.Join(e.Others, "; "))
}

// Find returns the path of the first program of that name, "zsync" or
// "zsyncmake", that is Colin Phipps's and of that version: "0.6.2", or "0.6" for
// all that begin so. It looks through the absolute folders of the PATH, then
// through /usr/bin, and runs what it finds with -V.
//
// Errors: *MissingError. Safe for concurrent use.
func Find(program, version string) (string, error) {
	return find(append(filepath.SplitList(os.Getenv("PATH")), debianFolder), program, version)
}

func find(folders []string, program, version string) (string, error) {
	missing := &MissingError{Program: program, Version: version}
	var seen []string // with links resolved: /bin often is /usr/bin
	for _, folder := range folders {
		if !filepath.IsAbs(folder) {
			continue // what runs must not depend on the current folder
		}
		path, err := exec.LookPath(filepath.Join(folder, program))
		if err != nil {
			continue
		}
		file, err := filepath.EvalSymlinks(path)
		if err != nil || slices.Contains(seen, file) {
			continue
		}
		seen = append(seen, file)
		if why := differs(path, program, version); why != "" {
			missing.Others = append(missing.Others, path+" "+why)
			continue
		}
		return path, nil
	}
	return "", missing
}

// differs says why the program at path is another one; "" when it is not.
func differs(path, program, version string) string {
	ctx, cancel := context.WithTimeout(context.Background(), answersWithin)
	defer cancel()
	var said answer
	cmd := exec.CommandContext(ctx, path, "-V")
	cmd.Stdout = &said
	cmd.WaitDelay = time.Second // a child of its own may hold the output open
	err := cmd.Run()
	match := versionLine.FindSubmatch(said.text)
	switch first, _, _ := strings.Cut(string(said.text), "\n"); {
	case err != nil:
		return fmt.Sprintf("does not say its version (%v)", err)
	case match == nil || (len(match[2]) != 0) != (program == "zsyncmake"):
		return fmt.Sprintf("is another program (%.60q)", first)
	case !strings.HasPrefix(string(match[1])+".", version+"."):
		return fmt.Sprintf("is %s", match[1])
	}
	return ""
}

// answer is the beginning of what a program prints.
type answer struct{ text []byte }

// Write refuses what is too long, which ends the program's output.
func (a *answer) Write(p []byte) (int, error) {
	n := min(len(p), answerLength-len(a.text))
	a.text = append(a.text, p[:n]...)
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
