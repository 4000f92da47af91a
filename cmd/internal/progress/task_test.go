package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestTask(t *testing.T) {
	var out, lines bytes.Buffer
	task := newTask(&out, "checking")
	task.Grow(1 << 20)
	time.Sleep(2 * barInterval)
	task.Add(1 << 19)
	if text := out.String(); !strings.Contains(text, "checking") || !strings.Contains(text, "50%") {
		t.Errorf("%q", text)
	}
	task.Print(&lines, "one line")
	task.Add(1 << 19)
	task.End()
	if lines.String() != "one line\n" {
		t.Errorf("%q", lines.String())
	}
}

// TestNoTask: where nobody looks there is no bar, and lines are printed all the same.
func TestNoTask(t *testing.T) {
	var out, lines bytes.Buffer
	task := NewTask(&out, "checking")
	task.Grow(1)
	task.Add(1)
	task.Print(&lines, "one line")
	task.End()
	if task != nil || out.Len() != 0 || lines.String() != "one line\n" {
		t.Errorf("%q, %q", out.String(), lines.String())
	}
}
