//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// makers are the two zsyncmakes.
var makers = map[string]func(*testing.T) string{"zsyncmake of zsyncfs": ourMaker, "zsyncmake of the system": oldMaker}

// What the old tutorials tell to do works as they say.
func TestTutorial(t *testing.T) {
	for name, maker := range makers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := maker(t)
			root, dir := folder(t), folder(t)
			s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root})
			upload := func(data []byte) {
				t.Helper()
				write(t, filepath.Join(root, "custom.tar"), data)
				makeControl(t, program, root, "-u", "custom.tar", "custom.tar")
			}
			sent := func(before *int) (int64, string) {
				log := s.Log(t)
				new := log[*before:]
				*before = len(log)
				return new.Data().Bytes(), new.String()
			}
			seen := 0
			first := noise(3<<20, 1)
			upload(first)

			// The first time everything is downloaded.
			zsyncIn(t, dir, s.URL("/custom.tar.zsync")).wants(t, 0,
				"verifying download...checksum matches OK\nused 0 local, fetched 3145728\n")
			if !bytes.Equal(read(t, filepath.Join(dir, "custom.tar")), first) {
				t.Fatal("wrong bytes")
			}
			wantListed(t, dir, "custom.tar")
			if n, log := sent(&seen); n != 3<<20 {
				t.Errorf("%d bytes sent:\n%s", n, log)
			}

			// After an update the same command fetches what changed.
			second := append(append(bytes.Clone(first[:1<<20]), "a few bytes that were put in"...), first[1<<20:]...)
			copy(second[2<<20:], "and a few that were changed")
			upload(second)
			zsyncIn(t, dir, s.URL("/custom.tar.zsync")).wants(t, 0, "checksum matches OK")
			if !bytes.Equal(read(t, filepath.Join(dir, "custom.tar")), second) ||
				!bytes.Equal(read(t, filepath.Join(dir, "custom.tar.zs-old")), first) {
				t.Fatal("wrong bytes")
			}
			wantListed(t, dir, "custom.tar", "custom.tar.zs-old")
			if n, log := sent(&seen); n > 4*2048+1000 {
				t.Errorf("%d bytes sent:\n%s", n, log)
			}

			// Another folder has an older backup elsewhere.
			backup := folder(t)
			write(t, filepath.Join(backup, "custom.tar"), first)
			elsewhere := folder(t)
			zsyncIn(t, elsewhere, "-i", filepath.Join(backup, "custom.tar"), s.URL("/custom.tar.zsync")).wants(t, 0)
			if !bytes.Equal(read(t, filepath.Join(elsewhere, "custom.tar")), second) {
				t.Fatal("wrong bytes")
			}
			wantListed(t, elsewhere, "custom.tar")
			wantListed(t, backup, "custom.tar")
			if n, log := sent(&seen); n > 4*2048+1000 {
				t.Errorf("with a seed %d bytes were sent:\n%s", n, log)
			}
		})
	}
}

// Each web server serves a first download and an update.
func TestWebServers(t *testing.T) {
	for _, kind := range []webserver.Kind{webserver.Nginx, webserver.Apache, webserver.Lighttpd, webserver.Python} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			root, dir := folder(t), folder(t)
			s := webserver.Start(t, kind, webserver.Options{Root: root})
			target := noise(2<<20, 2)
			write(t, filepath.Join(root, "t.dat"), target)
			write(t, filepath.Join(root, "t.dat.zsync"), control(t, target))
			old := bytes.Clone(target)
			for i := range 40 {
				copy(old[i*50_000:], "changed")
			}
			for _, seed := range [][]byte{nil, old} {
				if seed != nil {
					write(t, filepath.Join(dir, "t.dat"), seed)
				}
				zsyncIn(t, dir, s.URL("/t.dat.zsync")).wants(t, 0)
				if !bytes.Equal(read(t, filepath.Join(dir, "t.dat")), target) {
					t.Fatal("wrong bytes")
				}
			}
			// Python's server has no ranges and does not log bytes. lighttpd answers
			// no more than ten ranges of those that it is asked for.
			log := s.Log(t).Data()
			if most := int64(len(target) + 40*1024 + 20_000); kind != webserver.Python && log.Bytes() > most {
				t.Errorf("%d bytes for the file and 40 changes, want at most %d:\n%v", log.Bytes(), most, log)
			}
		})
	}
}

// A server without ranges is streamed from, over what is here.
func TestNoRanges(t *testing.T) {
	root, dir := folder(t), folder(t)
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root, NoRanges: true})
	target := noise(1<<20, 3)
	write(t, filepath.Join(root, "t.dat"), target)
	write(t, filepath.Join(root, "t.dat.zsync"), control(t, target))
	old := bytes.Clone(target)
	copy(old[500_000:], "changed")
	write(t, filepath.Join(dir, "t.dat"), old)
	zsyncIn(t, dir, s.URL("/t.dat.zsync")).wants(t, 0, "checksum matches OK\nused 1047552 local, fetched 1024\n")
	if !bytes.Equal(read(t, filepath.Join(dir, "t.dat")), target) {
		t.Fatal("wrong bytes")
	}
}

// A URL that sends something else is left for the next one, and that is said.
func TestWrongURL(t *testing.T) {
	s := newSite(t, noise(200_000, 4), func(o *format.BuilderOptions) { o.URLs = []string{"wrong.dat", "t.dat"} })
	s.Put("/wrong.dat", noise(200_000, 5))
	dir := folder(t)
	zsyncIn(t, dir, s.url()).wants(t, 0, "warning: source", "/wrong.dat")
	s.made(filepath.Join(dir, "t.dat"))
}

// The digest of the whole decides; without one the file is made with a warning.
func TestDigests(t *testing.T) {
	s := newSite(t, noise(200_000, 6))
	text, records, _ := bytes.Cut(control(t, s.target), []byte("\n\n"))
	edit := func(line func(string) string) {
		var out []string
		for _, l := range strings.Split(string(text), "\n") {
			if l = line(l); l != "" {
				out = append(out, l)
			}
		}
		s.Put("/t.dat.zsync", append([]byte(strings.Join(out, "\n")+"\n\n"), records...))
	}
	dir := folder(t)
	write(t, filepath.Join(dir, "t.dat"), []byte("old"))
	edit(func(l string) string {
		if strings.HasPrefix(l, "SHA-1: ") {
			return "SHA-1: " + strings.Repeat("0", 40)
		}
		return l
	})
	r := zsyncIn(t, dir, s.url()).wants(t, 2, "error: verify the whole file: ", "hint: ")
	if strings.Contains(r.String(), "checksum matches OK") || string(read(t, filepath.Join(dir, "t.dat"))) != "old" {
		t.Errorf("%v", r)
	}
	wantListed(t, dir, "t.dat", "t.dat.part")
	must(t, os.Remove(filepath.Join(dir, "t.dat.part")))
	edit(func(l string) string {
		if strings.HasPrefix(l, "SHA-1: ") || strings.HasPrefix(l, "File-Hash: ") || strings.HasPrefix(l, "Safe: ") {
			return ""
		}
		return l
	})
	r = zsyncIn(t, dir, s.url()).wants(t, 0, "warning: the control file has no digest of the whole file", "used 0 local, fetched 200000")
	if strings.Contains(r.String(), "checksum matches OK") {
		t.Errorf("%v", r)
	}
	s.made(filepath.Join(dir, "t.dat"))
}

// A control file that names a compressed copy only.
func TestOnlyCompressed(t *testing.T) {
	s := newSite(t, bytes.Repeat(noise(10_000, 7), 20), func(o *format.BuilderOptions) { o.URLs, o.ZURLs = nil, []string{"t.dat.gz"} })
	s.Remove("/t.dat")
	s.Put("/t.dat.gz", gzipped(t, s.target))
	dir := folder(t)
	zsyncIn(t, dir, s.url()).wants(t, 0, "checksum matches OK")
	s.made(filepath.Join(dir, "t.dat"))
}

// The control file is there, and the target is not.
func TestTargetGone(t *testing.T) {
	s := newSite(t, noise(200_000, 8))
	s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Status, Status: 410})
	dir := folder(t)
	zsyncIn(t, dir, s.url()).wants(t, 2, "410 Gone", "hint: try again later, or name another source with --mirror")
	wantListed(t, dir)
}
