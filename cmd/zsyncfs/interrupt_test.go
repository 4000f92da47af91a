package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// TestInterruptedGet: a signal has its exit code, leaves no file, and loses
// nothing of what was fetched.
func TestInterruptedGet(t *testing.T) {
	dir := t.TempDir()
	data := bytes.Repeat([]byte("some text and more"), 100_000)
	b, err := format.NewBuilder(format.BuilderOptions{Filename: "x", URLs: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(data)
	var control bytes.Buffer
	if _, err := b.WriteTo(&control); err != nil {
		t.Fatal(err)
	}
	srv := rangetest.New()
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	srv.Put("/x", data)
	srv.Put("/x.zsync", control.Bytes())
	srv.Add(rangetest.Rule{Path: "/x", Fault: rangetest.Stall, After: 600_000})
	get := func(ctx context.Context) (int, string, string) {
		var stdout, stderr bytes.Buffer
		code := execute(ctx, []string{"get", srv.URL("/x.zsync"), "-o", filepath.Join(dir, "x"), "--cache-dir", filepath.Join(dir, "store")}, &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		// Until something is in the store: what the server has sent may still be on
		// its way.
		for stored(filepath.Join(dir, "store")) < 256<<10 {
			time.Sleep(time.Millisecond)
		}
		cancel(&signals.Ended{Signal: syscall.SIGTERM})
	}()
	code, _, text := get(ctx)
	if code != int(exitTerminated) || !strings.Contains(text, "error: ended by a signal: terminated") {
		t.Errorf("code %d, %s", code, text)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("left: %v, %v", names, err)
	}
	srv.ClearRules()
	code, out, text := get(context.Background())
	if code != 0 || strings.HasPrefix(out, "used 0 local") {
		t.Errorf("again: code %d, %s%s", code, out, text)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "x")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// stored is how many bytes of disk the data of the versions in store take.
func stored(store string) int64 {
	files, _ := filepath.Glob(filepath.Join(store, "versions", "*", "data"))
	total := int64(0)
	for _, f := range files {
		var st syscall.Stat_t
		if syscall.Stat(f, &st) == nil {
			total += st.Blocks * 512
		}
	}
	return total
}

// A signal that comes when all files are done does not make that a failure.
func TestSignalAfterMake(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after bool
		code  int
	}{{true, 0}, {false, 130}} {
		ctx, cancel := context.WithCancelCause(context.Background())
		end := func() { cancel(&signals.Ended{Signal: os.Interrupt}) }
		var stdout, stderr writerFunc
		stdout = func(p []byte) (int, error) { end(); return len(p), nil } // the line of the file
		stderr = func(p []byte) (int, error) { return len(p), nil }
		if !tt.after {
			end()
		}
		if code := execute(ctx, []string{"make", file}, stdout, stderr); code != tt.code {
			t.Errorf("after %v: code %d, want %d", tt.after, code, tt.code)
		}
		cancel(nil)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
