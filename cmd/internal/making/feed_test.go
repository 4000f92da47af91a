package making

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

// noise is n bytes that do not repeat.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(n)})
	data := make([]byte, n)
	r.Read(data)
	return data
}

func TestFeed(t *testing.T) {
	for _, n := range []int{0, 1, pieceLength - 1, pieceLength, pieceLength + 1, 7*pieceLength + 5} {
		data := noise(n)
		path := filepath.Join(t.TempDir(), "x")
		writeFile(t, path, data)
		f := open(t, path)
		want, err := Settled(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		var file, stream bytes.Buffer
		if err := Feed(t.Context(), &file, f, want); err != nil || !bytes.Equal(file.Bytes(), data) {
			t.Errorf("file of %d bytes: %v, %d bytes", n, err, file.Len())
		}
		r := iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(data)))
		if err := FeedStream(t.Context(), &stream, r); err != nil || !bytes.Equal(stream.Bytes(), data) {
			t.Errorf("stream of %d bytes: %v, %d bytes", n, err, stream.Len())
		}
	}
}

// A file that changes when it has been read in part is refused.
func TestFeedChangedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	writeFile(t, path, noise(10*pieceLength))
	f := open(t, path)
	want, err := Settled(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	err = Feed(t.Context(), writerFunc(func([]byte) error { return os.Truncate(path, 10*pieceLength-1) }), f, want)
	if !errors.Is(err, ErrChanged) {
		t.Errorf("error %v", err)
	}
}

type writerFunc func([]byte) error

func (w writerFunc) Write(p []byte) (int, error) { return len(p), w(p) }

func TestFeedErrors(t *testing.T) {
	broken := errors.New("broken")
	endless := iotest.DataErrReader(zeros{})
	err := FeedStream(t.Context(), writerFunc(func([]byte) error { return broken }), endless)
	if !errors.Is(err, broken) {
		t.Errorf("of the writer: %v", err)
	}
	failing := io.MultiReader(io.LimitReader(zeros{}, 3*pieceLength), iotest.ErrReader(broken))
	var got bytes.Buffer
	if err := FeedStream(t.Context(), &got, failing); !errors.Is(err, broken) {
		t.Errorf("of the reader: %v", err)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A stream that blocks does not keep FeedStream from returning.
func TestFeedStreamCancelled(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		w.Write([]byte("x")) // returns when it was read
		cancel()
	}()
	if err := FeedStream(ctx, io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
