package oldzsync

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the programs answer to -V.
const (
	oldZsync     = "zsync v0.6.2 (compiled Jan 16 2023 22:02:35)\nBy Colin Phipps <cph@moria.org.uk>\nPublished under the Artistic License v2, see the COPYING file for details.\n"
	oldZsyncmake = "zsync v0.6.2 (zsyncmake compiled Jan 16 2023 22:02:35)\nBy Colin Phipps <cph@moria.org.uk>\n"
	ourZsync     = "zsync devel (zsyncfs)\n"
	ourZsyncmake = "zsyncmake devel of zsyncfs\nWrites control files as zsync v0.6.2 reads them.\n"
)

// fake makes a folder with a program that answers text to -V.
func fake(t *testing.T, program, text string) string {
	t.Helper()
	return script(t, program, "[ \"$*\" = -V ] && cat <<'END'\n"+text+"END\n")
}

func script(t *testing.T, program, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFind(t *testing.T) {
	newer := strings.ReplaceAll(oldZsync, "0.6.2", "0.6.20")
	for _, c := range []struct {
		name, program, version string
		answers                []string // of the programs in the folders, in order
		want                   int      // number of the folder; -1: none
		why                    string   // in the error
	}{
		{"alone", "zsync", "0.6", []string{oldZsync}, 0, ""},
		{"ours first", "zsync", "0.6", []string{ourZsync, oldZsync}, 1, ""},
		{"our zsyncmake first", "zsyncmake", "0.6", []string{ourZsyncmake, oldZsyncmake}, 1, ""},
		{"the first of two", "zsync", "0.6", []string{ourZsync, newer, oldZsync}, 1, ""},
		{"exact version", "zsync", "0.6.2", []string{newer, oldZsync}, 1, ""},
		{"ours alone", "zsync", "0.6", []string{ourZsync}, -1, `zsync is another program ("zsync devel (zsyncfs)")`},
		{"our zsyncmake alone", "zsyncmake", "0.6", []string{ourZsyncmake}, -1, `zsyncmake is another program ("zsyncmake devel of zsyncfs")`},
		{"later version", "zsync", "0.6", []string{strings.ReplaceAll(oldZsync, "0.6.2", "0.7.0")}, -1, "zsync is 0.7.0"},
		{"a zsyncmake of that name", "zsync", "0.6", []string{oldZsyncmake}, -1, "is another program"},
		{"somebody else's", "zsync", "0.6", []string{"zsync v0.6.2 (compiled today)\nBy me\n"}, -1, "is another program"},
		{"says nothing", "zsync", "0.6", []string{""}, -1, `is another program ("")`},
		{"none", "zsync", "0.6", nil, -1, "zsync 0.6 is not installed: there is no zsync on the PATH"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var folders []string
			for _, text := range c.answers {
				folders = append(folders, fake(t, c.program, text))
			}
			// None of these counts, and none ends the search.
			all := append([]string{"", ".", filepath.Join(t.TempDir(), "none"), fake(t, "other", "")}, folders...)
			got, err := find(all, c.program, c.version)
			if c.want >= 0 {
				if want := filepath.Join(folders[c.want], c.program); err != nil || got != want {
					t.Errorf("%q, %v; want %q", got, err, want)
				}
				return
			}
			var missing *MissingError
			if !errors.As(err, &missing) || len(missing.Others) != len(c.answers) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%q, %v; want %q", got, err, c.why)
			}
		})
	}
}

// Programs that fail, or never stop talking, are passed over too.
func TestFindPastBroken(t *testing.T) {
	failing := script(t, "zsync", "exit 3\n")
	endless := script(t, "zsync", "while :; do echo 'zsync v0.6.2 (compiled for ever)'; done\n")
	notProgram := t.TempDir()
	if err := os.WriteFile(filepath.Join(notProgram, "zsync"), []byte(oldZsync), 0o600); err != nil {
		t.Fatal(err)
	}
	good := fake(t, "zsync", oldZsync)
	got, err := find([]string{failing, endless, notProgram, good}, "zsync", "0.6")
	if err != nil || got != filepath.Join(good, "zsync") {
		t.Errorf("%q, %v", got, err)
	}
	_, err = find([]string{failing, endless, notProgram}, "zsync", "0.6")
	if err == nil || strings.Count(err.Error(), "does not say its version") != 2 {
		t.Error(err)
	}
}

// A program that is reached by two folders is named once.
func TestFindNamesOnce(t *testing.T) {
	dir := fake(t, "zsync", ourZsync)
	link := filepath.Join(t.TempDir(), "bin")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	_, err := find([]string{dir, link, dir}, "zsync", "0.6")
	if err == nil || strings.Count(err.Error(), "another program") != 1 {
		t.Error(err)
	}
}

// The PATH is what counts, in its order.
func TestFindOnPath(t *testing.T) {
	ours, old := fake(t, "zsync", ourZsync), fake(t, "zsync", oldZsync)
	t.Setenv("PATH", strings.Join([]string{ours, old, os.Getenv("PATH")}, string(filepath.ListSeparator)))
	got, err := Find("zsync", "0.6")
	if err != nil || got != filepath.Join(old, "zsync") {
		t.Errorf("%q, %v", got, err)
	}
}
