package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain lets this program stand in for those that are measured: it says
// where it runs and ends with the status that it is told.
func TestMain(m *testing.M) {
	switch os.Getenv("BENCH_TEST_PROGRAM") {
	case "well":
		dir, _ := os.Getwd()
		fmt.Println("ran in", dir, os.Args[1:], os.Getenv("http_proxy"))
	case "failing":
		fmt.Fprintln(os.Stderr, "it went wrong")
		os.Exit(3)
	default:
		os.Exit(m.Run())
	}
}

// testBench is a bench whose own zsync is this program.
func testBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		ctx: context.Background(), res: newResources(), work: t.TempDir(), bin: t.TempDir(),
		sizes: shortSizes, failed: map[string]error{},
	}
	b.root = filepath.Join(b.work, "root")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(b.bin, "zsync")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.res.releaseTo(0) })
	return b
}

func TestRunProgram(t *testing.T) {
	b, dir := testBench(t), t.TempDir()
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	t.Setenv("BENCH_TEST_PROGRAM", "well")
	u, err := b.runProgram(dir, zsync, "-q", "x")
	if err != nil || u.wall <= 0 || u.cpu <= 0 || u.peak <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	text, _ := os.ReadFile(filepath.Join(b.work, "zsync.log"))
	if got, want := strings.TrimSpace(string(text)), fmt.Sprint("ran in ", dir, " [-q x]"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	t.Setenv("BENCH_TEST_PROGRAM", "failing")
	u, err = b.runProgram(dir, zsync)
	if err == nil || !strings.Contains(err.Error(), "it went wrong") || u.cpu <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err = b.runProgram(dir, zsyncmake); err == nil || !strings.Contains(err.Error(), "not built") {
		t.Error(err)
	}
}

// The first programs on the PATH are this project's: others are measured as Debian's.
func TestDebianPastOurs(t *testing.T) {
	b := testBench(t)
	fake := func(program, text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\necho '"+text+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	const by = "\nBy Colin Phipps <cph@moria.org.uk>"
	ours := []string{fake("zsync", "zsync devel (zsyncfs)"), fake("zsyncmake", "zsyncmake devel of zsyncfs")}
	old := map[string]string{
		"zsync":     fake("zsync", "zsync v0.6.2 (compiled today)"+by),
		"zsyncmake": fake("zsyncmake", "zsync v0.6.2 (zsyncmake compiled today)"+by),
	}
	t.Setenv("PATH", strings.Join(append(ours, old["zsync"], old["zsyncmake"], os.Getenv("PATH")), ":"))
	for program, dir := range old {
		if got, err := b.path(debianTool(program)); err != nil || got != filepath.Join(dir, program) {
			t.Errorf("%s: %q, %v; want it in %s", program, got, err, dir)
		}
	}
	if got, err := b.path(zsync); err != nil || filepath.Dir(got) != b.bin {
		t.Errorf("ours: %q, %v", got, err)
	}
}

func TestMixedImages(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	const length = 32 * mib
	for _, err := range []error{
		writeMixed(at("old"), length, 1), writeMixed(at("again"), length, 1),
		writeChanged(at("changed"), at("old"), 0, length, changed, 2),
		writeShifted(at("shifted"), at("old"), changed, 3),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := same(at("again"), at("old")); err != nil {
		t.Error(err)
	}
	old, _ := os.ReadFile(at("old"))
	next, _ := os.ReadFile(at("changed"))
	if len(old) != length || len(next) != length {
		t.Fatalf("%d and %d bytes", len(old), len(next))
	}
	zeros, differ := 0, 0
	for i := 0; i < length; i += page {
		if !bytes.Equal(old[i:i+page], next[i:i+page]) {
			differ++
		}
		if bytes.Count(old[i:i+page], []byte{0}) == page {
			zeros++
		}
	}
	if share := float64(differ) / (length / page); share < changed/2 || share > 2*changed {
		t.Errorf("%.3f of the image changed", share)
	}
	if zeros == 0 || zeros > length/page/2 {
		t.Errorf("%d of %d pages are zeros", zeros, length/page)
	}
	info, err := os.Stat(at("shifted"))
	if err != nil {
		t.Fatal(err)
	}
	if more := float64(info.Size()-length) / length; more < changed || more > changed+mostChange/float64(length) {
		t.Errorf("%.3f was inserted", more)
	}
	if same(at("shifted"), at("old")) == nil || same(at("changed"), at("old")) == nil || same(at("none"), at("old")) == nil {
		t.Error("other bytes are the same")
	}
}

// The samples of the seed are the target's, each at another place.
func TestScanSamples(t *testing.T) {
	b := testBench(t)
	b.sizes.Bulk, b.sizes.Seed = 8*mib, 4*mib
	if err := b.makeScan(); err != nil {
		t.Fatal(err)
	}
	seed, _ := os.ReadFile(b.original(scanSeed))
	target, _ := os.ReadFile(b.original(scanTarget))
	if int64(len(seed)) != b.sizes.Seed || int64(len(target)) != b.sizes.Bulk {
		t.Fatalf("%d and %d bytes", len(seed), len(target))
	}
	for i := range samples {
		at := sampleAt(i, b.sizes.Bulk)
		if !bytes.Contains(seed, target[at:at+sampleLength]) {
			t.Errorf("sample %d is not in the seed", i)
		}
	}
}

// A script stands in for the one that downloads.
func TestCorpus(t *testing.T) {
	script := filepath.Join(t.TempDir(), "corpus")
	write := func(text string) {
		if err := os.WriteFile(script, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b := testBench(t)
	made := t.TempDir()
	names := []string{tar + "/a.tar"}
	b.corpus = &corpus{script: script, dir: made}
	write(`mkdir -p "$1/tar" && echo text >"$1/tar/a.tar" && echo "corpus in $1"`)
	if err := b.corpusFiles("corpus/tar/", false, names); err != nil {
		t.Fatal(err)
	}
	if err := same(b.original("corpus/tar/a.tar"), filepath.Join(made, "tar", "a.tar")); err != nil {
		t.Error(err)
	}
	if err := b.corpusFiles("corpus/large/", true, nil); !errors.Is(err, errUnavailable) {
		t.Error(err)
	}
	write("echo no line >&2; exit 1")
	b.corpus = &corpus{script: script, dir: made}
	for range 2 {
		err := b.corpusFiles("corpus/tar/", false, names)
		if !errors.Is(err, errUnavailable) || !strings.Contains(err.Error(), "no line") {
			t.Error(err)
		}
	}
}

func TestLargeUpdates(t *testing.T) {
	var got []string
	for _, u := range largeUpdates() {
		got = append(got, u.target, u.seed)
	}
	want := []string{
		"corpus/large/kubernetes-v1.31.2.zip", "corpus/large/kubernetes-v1.31.1.zip",
		"corpus/large/kubernetes-v1.31.2.tar", "corpus/large/kubernetes-v1.31.1.tar",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
