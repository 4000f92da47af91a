package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

const sample = `# of everything
cache-size = "20G"
refresh = '5m'

[archive.daily]
source = "https://example.org/daily/"
mount-point = "/mnt/daily"
seed = [
    "/a", # old
    "/b",
]
uid = 1_000
allow-other = true

[archive]
"x.y" = { source = "https://example.org/x/", mount-point = "/mnt/x" }
z.source = "https://example.org/z/"

[archive.empty]
`

func TestParse(t *testing.T) {
	f, err := Parse("/etc/z.toml", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	one := func(name string, line, column int, values ...string) Setting {
		return Setting{Name: name, Position: Position{line, column}, Values: values}
	}
	seeds := one("seed", 8, 1, "/a", "/b")
	seeds.Array = true
	want := &File{
		Path:     "/etc/z.toml",
		Settings: []Setting{one("cache-size", 2, 1, "20G"), one("refresh", 3, 1, "5m")},
		Archives: []Archive{
			{Name: "daily", Position: Position{5, 10}, Settings: []Setting{
				one("source", 6, 1, "https://example.org/daily/"), one("mount-point", 7, 1, "/mnt/daily"),
				seeds, one("uid", 12, 1, "1000"), one("allow-other", 13, 1, "true"),
			}},
			{Name: "x.y", Position: Position{16, 1}, Settings: []Setting{
				one("source", 16, 11, "https://example.org/x/"), one("mount-point", 16, 46, "/mnt/x"),
			}},
			{Name: "z", Position: Position{17, 1}, Settings: []Setting{one("source", 17, 3, "https://example.org/z/")}},
			{Name: "empty", Position: Position{19, 10}},
		},
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("%+v\nwant\n%+v", f, want)
	}
	if f.Archive("z") == nil || f.Archive("none") != nil || strings.Join(f.Names(), " ") != "daily x.y z empty" {
		t.Errorf("names: %q", f.Names())
	}
}

func TestParseFaults(t *testing.T) {
	for text, want := range map[string]string{
		"a = \n":                            "f:1:5: ",
		"\na = \"x\n":                       "f:2:",
		"a = 1\na = 2\n":                    "f:2:1: ",
		"[archive.x]\n[archive.x]\n":        "f:2:",
		"\n  [daily]\nsource = 'x'\n":       "f:2:4: [daily]: the tables here are called [archive.NAME]",
		"[archive.x.y]\n":                   "f:1:2: [archive.x.y]: the tables here",
		"[[archive]]\n":                     "f:1:3: [[archive]]: tables with two brackets",
		"[archive.'a b']\nsource = 'x'\n":   "f:1:10: an archive cannot be called \"a b\"",
		"a = {b = 1}\n":                     "f:1:1: a: a value is text",
		"a = [[1]]\n":                       "f:1:1: a: a value is text",
		"a = 2020-01-01\n":                  "f:1:1: a: a value is text",
		"a.b = 1\n":                         "f:1:1: a.b: settings stand by themselves",
		"archive = 1\n":                     "f:1:1: archive is a table",
		"archive.x = 1\n":                   "f:1:9: archive.x is a table",
		"[archive.x]\ny.z = 1\n":            "f:1:2: archive.x.y.z: settings stand by themselves",
		"[archive.x]\nseed = [{a = 'b'}]\n": "f:2:1: seed: a value is text",
	} {
		f, err := Parse("f", []byte(text))
		if err == nil || f != nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is reported more than once: %v", text, err)
		}
	}
	_, err := Parse("f", []byte("[x]\na = 1\n[y]\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("not all faults are reported: %v", err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.toml")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	for mode, open := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true} {
		write(sample, mode)
		if f, err := Read(path); err != nil || f.Open != open || f.Path != path {
			t.Errorf("mode %o: %+v, %v", mode, f, err)
		}
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Error(err)
	}
	if _, err := Read(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	write(strings.Repeat("#", sizeLimit+1), 0o600)
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "is larger than") {
		t.Error(err)
	}
}

// FuzzParse: no text stops the program, and what is read is what it says: names are
// unique, and each place lies in the text.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	for _, s := range []string{"a = {b = [1, {}]}", "[[a]]", "archive.x = {y = {z = 1}}", "a = \"\\u0000\"", "\"\" = 1", "[archive]\n'' = {}", "a=1979-05-27"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("f", text)
		if err != nil {
			return
		}
		lines := strings.Split(string(text), "\n")
		inside := func(p Position) bool {
			return p.Line >= 1 && p.Line <= len(lines) && p.Column >= 1 && p.Column <= len(lines[p.Line-1])+1
		}
		seen := map[string]bool{}
		for _, a := range file.Archives {
			if seen[a.Name] || !inside(a.Position) {
				t.Errorf("archive %q at %v, again: %v", a.Name, a.Position, seen[a.Name])
			}
			seen[a.Name] = true
			for _, s := range a.Settings {
				if !inside(s.Position) || !s.Array && len(s.Values) != 1 {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}

// TestReadStrangeFiles: a pipe that nobody writes to is not waited for, and what editors
// put before the text is left out.
func TestReadStrangeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "is a pipe") {
		t.Error(err)
	}
	path = filepath.Join(t.TempDir(), "mark")
	if err := os.WriteFile(path, []byte("\ufeffrefresh = \"5m\"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(path); err != nil || len(f.Settings) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}
