package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/oldzsync"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// packedSample is content of n bytes of which not all can be compressed.
func packedSample(n int) []byte {
	var b bytes.Buffer
	for b.Len() < n {
		b.Write(lines(70_000))
		b.Write(noise(30_000 + b.Len()%1000))
	}
	return b.Bytes()[:n]
}

// -z writes the gzip file, and a map of it.
func TestPacked(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("sub", 0o755); err != nil {
		t.Fatal(err)
	}
	data := packedSample(3_000_001)
	writeFiles(t, map[string][]byte{"sub/x": data, "x": data})
	for _, tt := range []struct {
		args          []string
		stdin         bool
		packed        string
		control       string
		name, url, zu string
	}{
		{[]string{"sub/x"}, false, "sub/x.gz", "x.zsync", "x", "sub/x", "sub/x.gz"},
		{[]string{"-b", "512", "--restart=64K", "x"}, false, "x.gz", "x.zsync", "x", "x", "x.gz"},
		{[]string{"-b", "64K", "-u", "p", "-U", "q", "x"}, false, "x.gz", "x.zsync", "x", "q", "p"},
		{[]string{"-f", "n", "-u", "n.gz"}, true, "n.gz", "n.zsync", "n", "", "n.gz"},
		{[]string{"-o", "out"}, true, "zsync-target.gz", "out", "", "", ""},
		{[]string{"--compat=0.6.2", "-f", "y.z", "x"}, false, "x.gz", "y.z.zsync", "y.z", "", "x.gz"},
		{[]string{"--compat=0.6.2", "x"}, false, "x.gz", "x.zsync", "x", "x", "x.gz"},
	} {
		cmd := ourProgram(t, dir, append([]string{"-z"}, tt.args...)...)
		if tt.stdin {
			cmd.Stdin = bytes.NewReader(data)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", tt.args, err, out)
		}
		packed, err := os.ReadFile(tt.packed)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%q: %v, %d bytes of content", tt.args, err, len(got))
		}
		if want := sampleTime; !tt.stdin && !z.ModTime.Equal(want) || tt.stdin && !z.ModTime.IsZero() {
			t.Errorf("%q: time %v", tt.args, z.ModTime)
		}
		f, err := os.Open(tt.control)
		if err != nil {
			t.Fatal(err)
		}
		h, err := format.ReadHeader(bufio.NewReader(f))
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if h.Filename != tt.name || strings.Join(h.URLs, " ") != tt.url || strings.Join(h.ZURLs, " ") != tt.zu || h.Recompress != "" {
			t.Errorf("%q: %q, %q, %q, %q", tt.args, h.Filename, h.URLs, h.ZURLs, h.Recompress)
		}
		m, err := format.NewZMap(h.ZMap, h.Length)
		if err != nil || m.Size()+8 != int64(len(packed)) {
			t.Errorf("%q: %v, a map of %d bytes of %d", tt.args, err, m.Size(), len(packed))
		}
		restarts := 0
		for i := range m.Len() - 2 {
			if m.Restart(i) {
				restarts++
			}
		}
		if want := 12; tt.args[0] != "-b" && restarts != want {
			t.Errorf("%q: %d restarts, want %d", tt.args, restarts, want)
		}
		os.Remove(tt.packed)
		os.Remove(tt.control)
	}
}

// The old zsync makes the target of what -z writes, and of a gzip file that was
// looked into the very gzip file.
func TestOldClientPacked(t *testing.T) {
	old, err := oldzsync.Find("zsync", "0.6")
	if err != nil {
		t.Skip("nothing to try with: ", err)
	}
	root := t.TempDir()
	data := packedSample(2_000_000)
	seed := bytes.Clone(data)
	for i := 100_000; i < len(seed); i += 400_000 {
		seed[i] ^= 1
	}
	given := gzipProgram(t, data, "-n")
	write := func(path string, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(root, "target"), data)
	write(filepath.Join(root, "given.gz"), given)
	server := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root})
	for _, compat := range []string{"", "--compat=0.6.2"} {
		for _, block := range []string{"512", "2048", "4096", "8192"} {
			for _, tt := range []struct {
				args    []string
				control string
				result  string
				want    []byte
			}{
				{[]string{"-z", "-u", "target.gz", "target"}, "target.zsync", "target", data},
				{[]string{"-u", "given.gz", "given.gz"}, "given.zsync", "given.gz", given},
			} {
				if (block == "4096" || block == "8192") && tt.result == "given.gz" {
					continue // noise is stored, and its points too far apart
				}
				args := append([]string{"-b", block}, tt.args...)
				if compat != "" {
					args = append(args, compat)
				}
				if out, err := ourProgram(t, root, args...).CombinedOutput(); err != nil || strings.Contains(string(out), "as it is") {
					t.Fatalf("%q: %v\n%s", args, err, out)
				}
				dir := t.TempDir()
				write(filepath.Join(dir, "seed"), seed)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				cmd := exec.CommandContext(ctx, old, "-i", "seed", server.URL("/"+tt.control))
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				cancel()
				got, _ := os.ReadFile(filepath.Join(dir, tt.result))
				if err != nil || !strings.Contains(string(out), "checksum matches OK") || !bytes.Equal(got, tt.want) {
					t.Errorf("%q: %v, got %d\n%s", args, err, len(got), out)
				}
			}
		}
	}
}
