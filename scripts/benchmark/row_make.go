package main

import (
	"bytes"
	"os"
	"path/filepath"
)

const (
	makeFolder = "make/"
	makeImage  = makeFolder + "image.img"
)

// compatible is the switch of this project's zsyncmake with which it writes
// what Debian's does.
const compatible = "--compat=0.6.2"

// opensslDigests is the limit of a control file that has both digests of a file:
// neither can be split, and openssl has the fastest code for each.
var opensslDigests = &tool{name: "openssl", program: "openssl", limit: true}

var makeMetrics = []metric{
	{key: "wall", title: "time", unit: "s", lower: true, timed: true, goal: timesPeer(3)},
	{key: "rate", title: "  rate", unit: "MB/s", timed: true, goal: atLeast(900)},
	{key: "cpu", title: "  CPU, all threads", unit: "s", lower: true},
	{key: "peak", title: "  largest resident size", unit: "MB", lower: true},
	{key: "length", title: "  length of the control file", unit: "MB", lower: true},
	{key: "compat/wall", title: "with " + compatible, unit: "s", lower: true, timed: true, goal: timesPeer(2)},
	{key: "compat/cpu", title: "  CPU, all threads", unit: "s", lower: true},
	{key: "compat/peak", title: "  largest resident size", unit: "MB", lower: true},
	{key: "compat/identical", title: "  the same bytes as Debian's (1: yes)", goal: atLeast(1)},
}

// makeControlFile makes the control file of an image. Debian's program knows one
// way, which stands beside both of this project's.
func makeControlFile(b *bench, t *tool, repetition int) (sample, error) {
	dir, err := b.newFolder("make")
	if err != nil {
		return nil, err
	}
	rate := func(u usage) float64 { return float64(b.sizes.Make) / u.wall / 1e6 }
	if t == opensslDigests {
		u, err := b.digestsBeside(dir, b.original(makeImage))
		return sample{"wall": u.wall, "cpu": u.cpu, "rate": rate(u)}, err
	}
	made := func(name string, options ...string) (usage, []byte, error) {
		path := filepath.Join(dir, name)
		u, err := b.runProgram(dir, t, append(options, "-u", "/"+makeImage, "-o", path, b.original(makeImage))...)
		if err != nil {
			return u, nil, err
		}
		text, err := os.ReadFile(path)
		return u, text, err
	}
	u, text, err := made("default.zsync")
	if err != nil {
		return nil, err
	}
	s := sample{"wall": u.wall, "rate": rate(u), "cpu": u.cpu, "peak": u.peak, "length": float64(len(text)) / 1e6}
	if t.own {
		if u, text, err = made("compatible.zsync", compatible); err != nil {
			return nil, err
		}
	}
	s["compat/wall"], s["compat/cpu"], s["compat/peak"] = u.wall, u.cpu, u.peak
	if !t.own {
		return s, nil
	}
	want, err := os.ReadFile(b.original(makers[0].control(makeImage)))
	s["compat/identical"] = 0
	if bytes.Equal(text, want) {
		s["compat/identical"] = 1
	}
	return s, err
}

// digestsBeside has two processes compute SHA-1 and SHA-256 of a file side by
// side. The time is that of the slower one.
func (b *bench) digestsBeside(dir, path string) (usage, error) {
	algorithms := []string{"-sha1", "-sha256"}
	took := make([]usage, len(algorithms))
	err := together(len(algorithms), func(i int) (err error) {
		took[i], err = b.runProgram(dir, opensslDigests, "dgst", algorithms[i], path)
		return err
	})
	return usage{wall: max(took[0].wall, took[1].wall), cpu: took[0].cpu + took[1].cpu}, err
}

// makeFiles are the files of the row: the image, and what Debian's program says
// of it.
func (b *bench) makeFiles() []file {
	return append([]file{{makeFolder, func() error {
		if err := b.newRootFolder(makeFolder); err != nil {
			return err
		}
		return writeMixed(b.original(makeImage), b.sizes.Make, 41)
	}}}, b.controls(makeFolder, filepath.Base(makeImage))...)
}
