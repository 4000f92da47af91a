package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
)

// input is a target that can be read.
type input struct {
	file *os.File
	// regular says that it is a regular file, read from its start, and that state
	// is its state: changes are noticed.
	regular bool
	// state has no more than a guess at the length when it is not regular.
	state making.Fingerprint
	// mtime is the zero time for standard input.
	mtime time.Time
	// head are the first bytes, at most two, which a stream has lost.
	head []byte
}

// gzip says whether the input starts like a gzip file.
func (in *input) gzip() bool { return len(in.head) == 2 && in.head[0] == 0x1f && in.head[1] == 0x8b }

// length is the number of bytes, and 0 when it is not known; it serves to choose
// the block size.
func (in *input) length() int64 { return in.state.Length }

// feed writes all of the input to w.
func (in *input) feed(ctx context.Context, w io.Writer) error {
	if in.regular {
		return making.Feed(ctx, w, in.file, in.state)
	}
	return making.FeedStream(ctx, w, io.MultiReader(bytes.NewReader(in.head), in.file))
}

// openInput opens the target of j. The caller closes it, but not standard
// input. It returns at once when ctx ends.
func (m *maker) openInput(ctx context.Context, j job) (*input, error) {
	if j.stdin() {
		in, err := describe(ctx, m.stdin)
		if in != nil {
			in.mtime = time.Time{}
		}
		return in, err
	}
	// A pipe is opened only when somebody writes to it.
	f, err := signals.Await(ctx, func() (*os.File, error) { return os.Open(j.file) })
	if err != nil {
		return nil, err
	}
	in, err := describe(ctx, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return in, nil
}

// describe finds out what f is.
func describe(ctx context.Context, f *os.File) (*input, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	in := &input{file: f, mtime: info.ModTime()}
	switch {
	case info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		return in, in.readHead(ctx)
	}
	// Somebody else may have read the start of standard input. Then what is left
	// is a stream, of which 0.6.2 takes the length of the whole for its length.
	if at, err := f.Seek(0, io.SeekCurrent); err != nil || at > 0 {
		in.state.Length = info.Size()
		return in, in.readHead(ctx)
	}
	in.regular = true
	if in.state, err = making.Settled(ctx, f); err != nil {
		return nil, err
	}
	in.mtime = time.Unix(0, in.state.MTime)
	head := make([]byte, 2)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	in.head = head[:n]
	return in, nil
}

// readHead takes the head off a stream.
func (in *input) readHead(ctx context.Context) error {
	head, err := signals.Await(ctx, func() ([]byte, error) {
		head := make([]byte, 2)
		n, err := io.ReadFull(in.file, head)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		return head[:n], err
	})
	in.head = head
	return err
}
