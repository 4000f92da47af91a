package making

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestRelativeURL(t *testing.T) {
	base, _ := url.Parse("http://host/dir/x.zsync")
	names := []string{"plain-1.0_~", "a b", "100%", "a:b", "q?x#y", "a+b&c=d;e", "ü", "\xff\x01", "//x", "..", "%41"}
	for _, name := range names {
		rel := RelativeURL(name)
		u, err := base.Parse(rel)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if name == ".." { // no file has this name
			continue
		}
		if u.Host != "host" || u.Path != "/dir/"+name || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q: %q leads to %v", name, rel, u)
		}
		if strings.ContainsAny(rel, " :/?#") {
			t.Errorf("%q: %q has a special character", name, rel)
		}
	}
	if got := RelativePathURL("a b/c?"); got != "a%20b/c%3F" {
		t.Errorf("path: %q", got)
	}
}

func TestWrite(t *testing.T) {
	for _, tt := range []struct {
		name, wantName string
		length         int
		o              Options
		wantURL        string
		wantBlock      int64
	}{
		{name: "a b.img", wantName: "a b.img", length: 10_000, wantURL: "a%20b.img", wantBlock: 2048},
		{name: "empty", wantName: "empty", wantURL: "empty", wantBlock: 2048},
		{name: "line\nbreak", wantName: "", length: 1, wantURL: "line%0Abreak", wantBlock: 2048},
		{name: "space ", wantName: "", length: 1, wantURL: "space%20", wantBlock: 2048},
		{name: "x", wantName: "y", length: 5 << 20, o: Options{BlockSize: 65536, Filename: "y", URLs: []string{"http://h/z"}}, wantURL: "http://h/z", wantBlock: 65536},
	} {
		t.Run(tt.wantURL, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tt.name)
			data := bytes.Repeat([]byte("0123456789abcde"), tt.length/15+1)[:tt.length]
			writeFile(t, path, data)
			var out bytes.Buffer
			if _, err := Write(t.Context(), open(t, path), tt.o, &out); err != nil {
				t.Fatal(err)
			}
			h, err := format.ReadHeader(bufio.NewReader(bytes.NewReader(out.Bytes())))
			if err != nil {
				t.Fatal(err)
			}
			if h.Filename != tt.wantName || h.URLs[0] != tt.wantURL || h.BlockSize != tt.wantBlock || h.Length != int64(tt.length) {
				t.Errorf("header %+v", h)
			}
			if int64(out.Len()) != h.ControlLength() {
				t.Errorf("%d bytes, want %d", out.Len(), h.ControlLength())
			}
			v := h.NewFileVerifier()
			v.Write(data)
			if err := v.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A file that another process changes while it is read is no file to describe.
func TestFileThatChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	writeFile(t, path, make([]byte, 3*pieceLength))
	f := open(t, path)
	want, err := fingerprint(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct {
		name string
		do   func() error
	}{
		{"grows", func() error { return os.Truncate(path, 4*pieceLength) }},
		{"shrinks", func() error { return os.Truncate(path, pieceLength) }},
		{"touched", func() error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) }},
	} {
		if err := change.do(); err != nil {
			t.Fatal(err)
		}
		b, err := format.NewBuilder(format.BuilderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := Feed(t.Context(), b, f, want); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", change.name, err)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(t.Context(), open(t, dir), Options{}, io.Discard); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a directory: %v", err)
	}
	path := filepath.Join(dir, "x")
	writeFile(t, path, []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Write(ctx, open(t, path), Options{}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Write(t.Context(), open(t, path), Options{BlockSize: 1000}, io.Discard); err == nil {
		t.Error("a block size of 1000 was taken")
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.zsync")
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	if err := Save(path, 0o640, text("one")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := Save(path, 0o640, func(w io.Writer) error { io.WriteString(w, "two"); return broken }); err != broken {
		t.Errorf("error %v", err)
	}
	got, err := os.ReadFile(path)
	info, _ := os.Stat(path)
	if err != nil || string(got) != "one" || info.Mode().Perm() != 0o640 {
		t.Errorf("%q, %v, mode %v", got, err, info.Mode())
	}
	if err := Save(path, 0, text("two")); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v: that of the file before is not kept", info.Mode())
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	fresh := filepath.Join(dir, "fresh")
	if err := Save(fresh, 0, text("x")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "by umask"), nil)
	want, _ := os.Stat(filepath.Join(dir, "by umask"))
	if info, _ := os.Stat(fresh); info.Mode()&^0o22 != want.Mode()&^0o22 {
		t.Errorf("mode %v: not that of a new file, %v", info.Mode(), want.Mode())
	}
}

func TestUpToDate(t *testing.T) {
	dir := t.TempDir()
	path, control := filepath.Join(dir, "x"), filepath.Join(dir, "x.zsync")
	remake := func() {
		t.Helper()
		writeFile(t, path, []byte("content"))
		f := open(t, path)
		if err := Save(control, 0o644, func(w io.Writer) error {
			_, err := Write(t.Context(), f, Options{}, w)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	upToDate := func(o Options) bool {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return UpToDate(control, info, o)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	remake()
	for _, o := range []Options{{}, {BlockSize: 2048}, {URLs: []string{"x"}}} {
		if !upToDate(o) {
			t.Errorf("%+v: not up to date", o)
		}
	}
	for name, change := range map[string]func() Options{
		"block size": func() Options { return Options{BlockSize: 4096} },
		"URL":        func() Options { return Options{URLs: []string{"y"}} },
		"length":     func() Options { must(os.Truncate(path, 3)); return Options{} },
		"time":       func() Options { must(os.Chtimes(path, time.Time{}, time.Unix(1e9, 0))); return Options{} },
		"older control file": func() Options {
			must(os.Chtimes(control, time.Time{}, time.Now().Add(-time.Hour)))
			return Options{}
		},
		"cut control file": func() Options {
			info, err := os.Stat(control)
			must(err)
			must(os.Truncate(control, info.Size()-1))
			return Options{}
		},
		"no control file": func() Options { must(os.Remove(control)); return Options{} },
	} {
		remake()
		if upToDate(change()) {
			t.Errorf("%s: still up to date", name)
		}
	}
}
