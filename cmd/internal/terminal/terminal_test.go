package terminal

import (
	"os"
	"testing"
)

func TestIs(t *testing.T) {
	for _, name := range []string{os.DevNull, t.TempDir()} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if Is(f) {
			t.Errorf("%s is a terminal", name)
		}
		f.Close()
	}
	if Is(nil) {
		t.Error("no file is a terminal")
	}
	if tty, err := os.Open("/dev/ptmx"); err == nil {
		if !Is(tty) {
			t.Error("a terminal is none")
		}
		tty.Close()
	}
}
