package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maker is a program that makes control files. What zsync does depends on which
// one made the control file it is given, so rows come once for each.
type maker struct {
	name  string // at the end of the names of rows
	title string
	tool  *tool
}

var makers = []maker{
	{"debian", "control files of Debian's zsyncmake", debianZsyncmake},
	{"own", "control files of this project's zsyncmake", zsyncmake},
}

// controlFolder is where the control files of a maker are, for the targets of a
// folder of the web server's root.
func (mk maker) controlFolder(folder string) string { return "control/" + mk.name + "/" + folder }

// control is the control file of a target.
func (mk maker) control(target string) string {
	return mk.controlFolder(path.Dir(target)+"/") + path.Base(target) + ".zsync"
}

// makeControl makes the control file of a target. What is compressed is taken
// as it is, without a look inside.
func (b *bench) makeControl(mk maker, target string) error {
	return b.makeControlFor(mk, target, "/"+target)
}

// makeControlFor makes a control file that has any URL for its target.
func (b *bench) makeControlFor(mk maker, target, url string) error {
	control := b.original(mk.control(target))
	if err := os.MkdirAll(filepath.Dir(control), 0o755); err != nil {
		return err
	}
	return b.runMaker(mk, b.original(target), url, control)
}

// runMaker has a maker write the control file of a local file, which clients get
// at url.
func (b *bench) runMaker(mk maker, path, url, control string) error {
	program, err := b.path(mk.tool)
	if err != nil {
		return err
	}
	command := []string{program}
	if strings.HasSuffix(path, "gz") {
		command = append(command, "-Z")
	}
	return b.run("", append(command, "-u", url, "-o", control, path)...)
}

// controls are the files that makers make for some targets, of which all are in
// one folder.
func (b *bench) controls(folder string, targets ...string) []file {
	var out []file
	for _, mk := range makers {
		out = append(out, file{mk.controlFolder(folder), func() error {
			for _, target := range targets {
				if err := b.makeControl(mk, folder+target); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	return out
}

// download runs zsync, with seeds, on a maker's control file of a target.
func (b *bench) download(t *tool, mk maker, target string, seeds ...string) (usage, traffic, error) {
	return b.downloadBy(t, mk.control(target), target, seeds...)
}

// downloadBy runs zsync, with seeds, on the control file of a target in an empty
// folder, and returns what it took once the result has been found to be the target.
func (b *bench) downloadBy(t *tool, control, target string, seeds ...string) (u usage, sent traffic, err error) {
	height := b.res.mark()
	defer b.res.releaseTo(height)
	dir, err := b.newFolder("download")
	if err != nil {
		return u, sent, err
	}
	args := []string{"-q"}
	for _, seed := range seeds {
		args = append(args, "-i", b.original(seed))
	}
	sent, err = b.logged(func() error {
		u, err = b.runProgram(dir, t, append(args, b.base(direct)+control)...)
		return err
	})
	if err != nil {
		return u, sent, err
	}
	return u, sent, same(filepath.Join(dir, path.Base(target)), b.original(target))
}

// same fails unless two files have the same bytes.
func same(path, original string) error {
	got, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("no result: %w", err)
	}
	want, err := os.Stat(original)
	if err != nil {
		return err
	}
	if got.Size() != want.Size() {
		return fmt.Errorf("the result has %d bytes, and the target %d", got.Size(), want.Size())
	}
	return compare(path, original, 0, want.Size())
}
