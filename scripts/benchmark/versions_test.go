package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAtMostOfPeer(t *testing.T) {
	m := metric{key: "sent", lower: true, goal: atMostOfPeer(1.05)}
	for own, want := range map[float64]bool{100: true, 105: true, 106: false, 210: false} {
		if got := m.reached(own, []float64{200, 100}, nil); got != want {
			t.Errorf("%v beside 200 and 100: %v", own, got)
		}
	}
	if !m.reached(1, nil, nil) {
		t.Error("missed without a peer")
	}
	if got := m.goalText(); got != "<= 1.05x peer's" {
		t.Error(got)
	}
}

// What is sent of a version is its target and its control file; listings are
// nobody's.
func TestSplit(t *testing.T) {
	s := site{folder: "versions/site-1/"}
	log := "/versions/site-1/ 900 700\n" +
		"/versions/site-1/a-1.img 4396 4096\n" +
		"/versions/site-1/a-2.img.zsync 2000 1700\n" +
		"/versions/site-1/a-2.img 1300 1000\n" +
		"/versions/site-1/a-2.img?x=1 30 20\n" +
		"/versions/other/a-2.img 7 7\n"
	of, rest := split(parseLog(log), s.urls("a-2.img")...)
	if got, want := sum(of), (traffic{requests: 3, files: 3, sent: 3330, data: 1020}); got != want {
		t.Errorf("of it: %+v, want %+v", got, want)
	}
	if got, want := sum(rest), (traffic{requests: 2, files: 2, sent: 4403, data: 4103}); got != want {
		t.Errorf("of others: %+v, want %+v", got, want)
	}
}

func TestSpread(t *testing.T) {
	const length, count = 64*mib + 7, 20
	places := spread(count, length, 1)
	parts := map[int64]bool{}
	for _, at := range places {
		if at < 0 || at+readLength > length {
			t.Errorf("a read at %d", at)
		}
		parts[at/(length/count)] = true
	}
	if len(places) != count || len(parts) != count || slices.IsSorted(places) {
		t.Errorf("%d reads in %d parts: %v", len(places), len(parts), places)
	}
}

func TestLatencySample(t *testing.T) {
	ms := func(all ...int) (out []time.Duration) {
		for _, n := range all {
			out = append(out, time.Duration(n)*time.Millisecond)
		}
		return out
	}
	s := latencySample(ms(40, 20, 20), ms(40, 10, 100), 0.02)
	for key, want := range map[string]float64{"extra": 0, "extra-worst": 4, "idle": 1, "idle-worst": 2} {
		if s[key] != want {
			t.Errorf("%s: %v, want %v", key, s[key], want)
		}
	}
	for within, want := range map[int]int{0: 0, 10: 1, 25: 1, 30: 2, 1000: 3} {
		if got := endedWithin(ms(10, 20, 30), time.Duration(within)*time.Millisecond); got != want {
			t.Errorf("%d reads ended within %d ms, want %d", got, within, want)
		}
	}
}

func TestBlocks(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, parts ...string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Join(parts, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old, next := write("old", "aaaa", "bbbb", "cccc", "dd"), write("next", "aaaa", "xbbb", "cccc", "de")
	if n, err := changedBlocks(old, next, 4); n != 2 || err != nil {
		t.Errorf("%d blocks differ, %v", n, err)
	}
	if n, err := changedBlocks(old, old, 4); n != 0 || err != nil {
		t.Errorf("%d blocks differ from themselves, %v", n, err)
	}
	if n, err := blockLength(write("good", "zsync: 0.6.2\nBlocksize: 2048\nLength: 1\n\n")); n != 2048 || err != nil {
		t.Errorf("block size %d, %v", n, err)
	}
	for _, bad := range []string{"zsync: 0.6.2\n\nBlocksize: 2048\n", "", "Blocksize: x\n\n"} {
		if n, err := blockLength(write("bad", bad)); err == nil {
			t.Errorf("%q: block size %d", bad, n)
		}
	}
	if err := writeInserted(filepath.Join(dir, "longer"), old, 3, 2); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "longer")); string(got) != "aaa++abbbbccccdd" {
		t.Errorf("inserted: %q", got)
	}
}

func TestTenBlocks(t *testing.T) {
	b := testBench(t)
	b.sizes.Ten = mib
	if err := b.newRootFolder(tenFolder); err != nil {
		t.Fatal(err)
	}
	for i := range tenCount {
		if err := b.writeVersion(b.ten(), i); err != nil {
			t.Fatal(err)
		}
	}
	control := b.original(tenFolder+tenName(0)) + ".zsync"
	if err := os.WriteFile(control, []byte("Blocksize: 4096\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unique, all, err := b.tenBlocks()
	if err != nil || all != tenCount*mib || unique < mib+(tenCount-1)*4096 || unique > 2*mib {
		t.Errorf("%d of %d bytes are in different blocks, %v", unique, all, err)
	}
}

func TestDiskUsage(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"versions/a", "versions/b", "index"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const length = 1 << 16
	data := filepath.Join(dir, "versions/a/data")
	for _, path := range []string{data, filepath.Join(dir, "index/log")} {
		if err := writeFile(path, func(f *os.File) error {
			_, err := f.Write(bytes.Repeat([]byte("x"), length))
			return errors.Join(err, f.Truncate(mib))
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(data, filepath.Join(dir, "versions/b/data")); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]int64{"versions/*/data": length, "*": 2 * length, "none": 0} {
		if got, err := diskUsage(filepath.Join(dir, pattern)); got < want || got > want+want/2 || err != nil {
			t.Errorf("%s: %d bytes, want %d; %v", pattern, got, want, err)
		}
	}
}

func TestActivity(t *testing.T) {
	for text, want := range map[string]bool{
		`{"pid": 1, "store": {"disk_bytes": 7}, "mounts": [{"received": 3, "open": [{"fetches": 0}, {"fetches": 2}]}]}`: true,
		`{"pid": 1, "store": {"disk_bytes": 7}, "mounts": [{"received": 3, "open": [{"fetches": 0}]}, {"open": []}]}`:   false,
	} {
		var a activity
		if err := json.Unmarshal([]byte(text), &a); err != nil || a.fetching() != want || a.Store.Disk != 7 {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
	}
}

// A script stands in for the one that installs.
func TestMakeDebian(t *testing.T) {
	script, dir := filepath.Join(t.TempDir(), "images"), t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(script, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b := testBench(t)
	b.images = &corpus{script: script, dir: dir}
	write(`echo one >"$1/debian-root-1.img" && echo two >"$1/debian-root-2.img" && echo "images in $1"`)
	if err := b.makeDebian(); err != nil {
		t.Fatal(err)
	}
	if err := same(b.original(debianNew), filepath.Join(dir, "debian-root-2.img")); err != nil {
		t.Error(err)
	}
	write("echo no root >&2; exit 1")
	if err := b.makeDebian(); !errors.Is(err, errUnavailable) || !strings.Contains(err.Error(), "no root") {
		t.Error(err)
	}
	b.short = true
	if err := b.makeDebian(); !errors.Is(err, errUnavailable) {
		t.Error(err)
	}
}

// A site shows what was published, under the names that it had in stock.
func TestSite(t *testing.T) {
	b := testBench(t)
	if err := b.newRootFolder("from/"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one.img", "two.img"} {
		if err := os.WriteFile(b.original("from/"+name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	control := func(path string) error { return os.WriteFile(path+".zsync", []byte("of "+path), 0o600) }
	names := map[string]string{"a-1.img": "from/one.img", "a-2.img": "from/two.img"}
	if err := b.stock("stock/", names, control); err != nil {
		t.Fatal(err)
	}
	height := b.res.mark()
	s, err := b.newSite()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.publish("stock/", "a-2.img"); err != nil {
		t.Fatal(err)
	}
	var got []string
	entries, err := os.ReadDir(b.original(s.folder))
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if err != nil || !slices.Equal(got, []string{"a-2.img", "a-2.img.zsync"}) {
		t.Errorf("%q, %v", got, err)
	}
	if err := same(b.original(s.folder+"a-2.img"), b.original("from/two.img")); err != nil {
		t.Error(err)
	}
	b.res.releaseTo(height)
	if _, err := os.Stat(b.original(s.folder)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the site is still there: %v", err)
	}
}

// Each metric of a row of versions is that of a pair whose files are in stock.
func TestVersionRows(t *testing.T) {
	rows := selectRows("", "versions")
	if len(rows) != 4*len(versionGroups)+3 || len(selectRows("", "versions.seed")) != 2*len(versionGroups) {
		t.Errorf("%d rows", len(rows))
	}
	for _, g := range versionGroups {
		names := g.names()
		for _, u := range g.updates {
			if names[path.Base(u.target)] != u.target || names[path.Base(u.seed)] != u.seed || path.Dir(u.target)+"/" != g.from {
				t.Errorf("%s: %+v is not among %v", g.name, u, names)
			}
		}
	}
}
