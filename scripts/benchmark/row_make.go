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

var makeMetrics = []metric{
	{key: "wall", title: "time", unit: "s", lower: true, timed: true, goal: timesPeer(2)},
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
	s := sample{"wall": u.wall, "cpu": u.cpu, "peak": u.peak, "length": float64(len(text)) / 1e6}
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
