package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsyncfs/zsyncfs/cmd/internal/scripttest"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
)

// A signal that comes when the work is done does not make it a failure.
func TestSignalAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file, noise(5000), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	o, err := parse([]string{"-u", "u/", "-o", "-", file})
	if err != nil {
		t.Fatal(err)
	}
	list, err := o.jobs(false, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, done := range []bool{true, false} {
		ctx, cancel := context.WithCancelCause(context.Background())
		end := func() { cancel(&signals.Ended{Signal: os.Interrupt}) }
		m := &maker{options: o, stdout: out, console: newConsole(os.Stderr, false, list)}
		if done {
			m.beforeStream = end
		} else {
			end()
		}
		err = signals.Explain(ctx, m.makeAll(ctx, list))
		m.console.close()
		if code := program.Report(io.Discard, err); (code == 0) != done || !done && code != 130 {
			t.Errorf("done %v: code %d, %v", done, code, err)
		}
		cancel(nil)
	}
	if err := scripttest.Agree(out.Name(), file); err != nil {
		t.Error(err)
	}
}
