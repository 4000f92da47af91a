//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// release is a tar of some text files; those of another version differ in a few.
func release(version int) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range 120 {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		if i%40 == 7 {
			r = rand.New(rand.NewPCG(uint64(i), uint64(version)))
		}
		var content bytes.Buffer
		for content.Len() < 5000+r.IntN(30_000) {
			fmt.Fprintf(&content, "line %d of a file that tells of %x\n", content.Len(), r.IntN(1<<24))
		}
		if i == 50 {
			content.Write(noise(40_000, byte(version)))
		}
		_ = w.WriteHeader(&tar.Header{Name: fmt.Sprintf("custom/file%d.txt", i), Mode: 0o644, Size: int64(content.Len()),
			ModTime: time.Unix(1_700_000_000, 0)})
		_, _ = w.Write(content.Bytes())
	}
	_ = w.Close()
	return b.Bytes()
}

// Compressing for the transfer, as tutorials have it: the client has an old
// custom.tar, and gets the new one.
func TestTutorialCompressed(t *testing.T) {
	all := clients(t)
	for name, maker := range makers {
		program := maker(t)
		for _, typed := range [][]string{
			{"-z", "custom.tar"},
			{"-z", "-u", "custom.tar.gz", "custom.tar"},
			{"-C", "-z", "custom.tar"},
		} {
			root := folder(t)
			target := release(2)
			write(t, filepath.Join(root, "custom.tar"), target)
			makeControl(t, program, root, typed...)
			s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root})
			for _, c := range all {
				for _, seed := range [][]string{{"-i", "old/custom.tar"}, nil} {
					what := fmt.Sprintf("zsyncmake of %s %v, zsync of %s %v", name, typed, c.name, seed)
					dir := folder(t)
					old := "custom.tar" // in place
					if seed != nil {
						must(t, exec.Command("mkdir", filepath.Join(dir, "old")).Run())
						old = "old/custom.tar"
					}
					write(t, filepath.Join(dir, old), release(1))
					r := finish(t, c.cmd(t, dir, append(seed, s.URL("/custom.tar.zsync"))...))
					if r.code != 0 || !strings.Contains(r.stdout, "checksum matches OK") {
						t.Errorf("%s: %v", what, r)
					}
					if !bytes.Equal(read(t, filepath.Join(dir, "custom.tar")), target) {
						t.Errorf("%s: wrong bytes", what)
					}
				}
			}
		}
	}
}

// A published .gz comes out as it was published, where gzip can make it again.
func TestPublishedGzip(t *testing.T) {
	all := clients(t)
	for name, maker := range makers {
		program := maker(t)
		for _, options := range []string{"", "-n", "--best", "-n --best", "--rsyncable", "-n --rsyncable --best"} {
			root := folder(t)
			write(t, filepath.Join(root, "custom.tar"), release(2))
			zip := exec.Command("gzip", append(strings.Fields(options), "custom.tar")...)
			zip.Dir = root
			if out, err := zip.CombinedOutput(); err != nil {
				t.Skipf("no such gzip: %v %s", err, out)
			}
			makeControl(t, program, root, "custom.tar.gz")
			target := read(t, filepath.Join(root, "custom.tar.gz"))
			s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root})
			for _, c := range all {
				if name != "zsyncmake of zsyncfs" && strings.Contains(options, "rsyncable") && !strings.Contains(options, "best") {
					continue // it looks at the first 900 bytes, and is wrong
				}
				what := fmt.Sprintf("gzip %s, zsyncmake of %s, zsync of %s", options, name, c.name)
				dir := folder(t)
				write(t, filepath.Join(dir, "old"), release(1))
				r := finish(t, c.cmd(t, dir, "-i", "old", s.URL("/custom.tar.zsync")))
				if r.code != 0 {
					t.Errorf("%s: %v", what, r)
				}
				if !bytes.Equal(read(t, filepath.Join(dir, "custom.tar.gz")), target) {
					t.Errorf("%s: wrong bytes", what)
				}
			}
		}
	}
}

// Of a compressed copy, ours fetches no more than 0.6.2 does.
func TestPackedBytes(t *testing.T) {
	all := clients(t)
	for name, maker := range makers {
		program := maker(t)
		root := folder(t)
		write(t, filepath.Join(root, "custom.tar"), release(2))
		makeControl(t, program, root, "-z", "custom.tar")
		s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root})
		sent := map[string]int64{}
		for _, c := range all {
			dir := folder(t)
			write(t, filepath.Join(dir, "old"), release(1))
			before := int64(0)
			for _, r := range s.Log(t) {
				before += r.Bytes
			}
			finish(t, c.cmd(t, dir, "-i", "old", s.URL("/custom.tar.zsync"))).wants(t, 0)
			for _, r := range s.Log(t) {
				sent[c.name] += r.Bytes
			}
			sent[c.name] -= before
		}
		t.Logf("zsyncmake of %s: %v", name, sent)
		if sent["ours"] > sent["0.6.2"] {
			t.Errorf("zsyncmake of %s: ours fetches %d bytes, 0.6.2 %d", name, sent["ours"], sent["0.6.2"])
		}
	}
}
