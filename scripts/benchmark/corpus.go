package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// corpus is a folder of real files in successive versions, made by a script
// that downloads them once.
type corpus struct {
	script string
	dir    string // "": where the script puts it
	made   bool
	large  bool // whether the large pair is there too
	err    error
}

// The forms in which the corpus has its files, each a folder of it.
const (
	native = "native"
	tar    = "tar"
	gz     = "gz"
	rs     = "rs"
)

// forms has the endings of the names in each form.
var forms = map[string]string{native: ".tgz", tar: ".tar", gz: ".tar.gz", rs: ".tar.gz"}

// pair is a version and the one before it, as names without endings.
type pair struct{ old, new string }

var pairs = []pair{
	{"typescript-5.6.2", "typescript-5.6.3"},
	{"typescript-5.6.3", "typescript-5.7.2"},
	{"esbuild-linux-x64-0.24.0", "esbuild-linux-x64-0.24.1"},
}

// largePair comes in the forms native, as a zip, and tar.
var largePair = pair{"kubernetes-v1.31.1", "kubernetes-v1.31.2"}

// largeForms has the endings of the large pair's names.
var largeForms = map[string]string{native: ".zip", tar: ".tar"}

// corpusFiles fills a folder of the web server's root with files of the corpus,
// which are named with form and ending.
func (b *bench) corpusFiles(folder string, large bool, names []string) error {
	dir, err := b.corpus.make(b)
	switch {
	case err != nil:
		return err
	case large && b.sizes == shortSizes:
		return fmt.Errorf("%w with --short", errUnavailable)
	case large && !b.corpus.large:
		return fmt.Errorf("%w: the large files of the corpus", errUnavailable)
	}
	for _, name := range names {
		if err := copyFile(b.original(folder+filepath.Base(name)), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// make has the script make the corpus, once, and returns its folder.
func (c *corpus) make(b *bench) (string, error) {
	if c.made {
		return c.dir, c.err
	}
	c.made = true
	if c.large = b.sizes != shortSizes; c.large {
		if c.dir, c.err = b.runScript("the corpus", c.script, c.dir, "--large"); c.err == nil {
			return c.dir, nil
		}
		c.large = false
	}
	c.dir, c.err = b.runScript("the corpus", c.script, c.dir)
	return c.dir, c.err
}

// runScript runs a script that fills a folder and says "... in FOLDER" at its end.
// dir is that folder; "": the script knows.
func (b *bench) runScript(what, script, dir string, args ...string) (string, error) {
	if dir != "" {
		args = append(args, dir)
	}
	cmd := exec.CommandContext(b.ctx, script, args...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %.300s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return dir, fmt.Errorf("%w: %s: %w", errUnavailable, what, err)
	}
	_, made, ok := strings.Cut(strings.TrimSpace(string(out)), " in ")
	if !ok {
		return dir, fmt.Errorf("%s does not say where it is: %s", script, what)
	}
	return made, nil
}

// copyFile makes a copy with the same modification time, which control files name.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, time.Time{}, info.ModTime())
}
