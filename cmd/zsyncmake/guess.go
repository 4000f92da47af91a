package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/inflate"
)

// gzipOptions are those with which clients may call gzip(1), in the order in which
// zsyncmake 0.6.2 tries them.
var gzipOptions = []string{"--best", "", "--rsync", "--rsync --best"}

const (
	// nearlyBytes of the gzip file behind its header are what 0.6.2 compares.
	nearlyBytes = 900
	// leastGuessed is the length of the shortest file for which 0.6.2 guesses.
	leastGuessed = 1024
)

// guess is what was found out about making a gzip file again.
type guess struct {
	options string // of gzip(1)
	fits    bool   // it is the same file then
	nearly  bool   // 0.6.2 would take other options for those, and be wrong
	why     string // nothing fits
}

// guess tries to make the gzip file again.
func (m *maker) guess(ctx context.Context, h *format.GzipHeader, in *input) guess {
	switch {
	case m.noRecompress:
		return guess{}
	case m.compat && in.state.Length < leastGuessed:
		return guess{why: "the gzip file is short, and zsyncmake 0.6.2 tries to make it again from 1024 bytes on"}
	case h.Named && h.MTime.IsZero():
		return guess{why: "its header has a name and no time, which gzip(1) does not write"}
	case !h.Named && !h.MTime.IsZero():
		return guess{why: "its header has a time and no name, which gzip(1) does not write"}
	}
	program, err := exec.LookPath("gzip")
	if err != nil {
		return guess{why: "there is no program gzip to try whether it makes the same file again"}
	}
	nearly := false
	for _, options := range gzipOptions {
		same, all := compareGzip(ctx, program, options, h, in)
		switch {
		case all:
			return guess{options: options, fits: true, nearly: nearly}
		case same >= nearlyBytes:
			nearly = true
		}
	}
	if nearly {
		return guess{nearly: true, why: "gzip(1) makes a file that starts as this one and is another, which zsyncmake 0.6.2 takes for the same"}
	}
	return guess{why: "gzip(1) does not make the same file again"}
}

// compareGzip says how many bytes behind the header gzip(1) makes as they are in
// the file, and whether these are all there are.
func compareGzip(ctx context.Context, program, options string, h *format.GzipHeader, in *input) (same int64, all bool) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	start := int64(len(h.Raw))
	behind := func() io.Reader { return io.NewSectionReader(in.file, start, in.state.Length-start) }
	var d inflate.Decoder
	if err := d.Start(bufio.NewReader(behind()), 8*start, nil); err != nil {
		return 0, false
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"-n"}, strings.Fields(options)...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GZIP=") })
	cmd.Stdin = struct{ io.Reader }{&d}
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return 0, false
	}
	made := bufio.NewReaderSize(out, 64<<10)
	same, all = 0, false
	if h, err := format.ReadGzipHeader(made); err == nil && !h.Odd {
		same, all = sameBytes(behind(), made)
	}
	if !all {
		stop()
	}
	if err := cmd.Wait(); err != nil {
		all = false
	}
	return same, all
}

// sameBytes is how many bytes a and b have in common at their start, and whether
// that is all of both. After a difference, no more is read.
func sameBytes(a, b io.Reader) (n int64, all bool) {
	var x, y [32 << 10]byte
	for {
		i, errA := io.ReadFull(a, x[:])
		j, errB := io.ReadFull(b, y[:])
		k := min(i, j)
		if !bytes.Equal(x[:k], y[:k]) {
			for k = 0; x[k] == y[k]; k++ {
			}
			return n + int64(k), false
		}
		if n += int64(k); i != j || errA != nil || errB != nil {
			return n, i == j && ended(errA) && ended(errB)
		}
	}
}

func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// hasExtension: 0.6.2 writes a Z-Filename for names that have one.
func hasExtension(name string) bool { return filepath.Ext(name) != "" }
