package progress

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// show takes a Printer through three steps as a download does.
func show(mode Mode) string {
	var out bytes.Buffer
	p := New(&out, mode)
	now := download.Progress{Length: 1000}
	p.Watch(func() download.Progress { return now })
	for _, s := range []download.Step{
		{Kind: download.Scanning, Name: "a seed\x1b[2J of a name that is much too long for a line", Total: 2000},
		{Kind: download.Fetching, Name: "http://h/x", Total: 500},
		{Kind: download.Verifying, Name: "x.part", Total: 1000},
	} {
		p.Step(s)
		p.update(download.Progress{Step: s, Done: s.Total / 2, Length: 1000})
		if mode == Bar {
			p.Print(&out, "a warning")
		}
		now = download.Progress{Step: s, Done: s.Total, Known: 700, Length: 1000}
	}
	p.Stop()
	p.Stop()
	return out.String()
}

func TestLines(t *testing.T) {
	want := "reading seed file a seed\\x1b[2J of a name that is much too long for a line (2.0 kB)\n" +
		"downloading from http://h/x (500 B)\nverifying download (1.0 kB)\n"
	if got := show(Lines); got != want {
		t.Errorf("%q", got)
	}
	if got := show(Auto); got != want { // no terminal
		t.Errorf("%q", got)
	}
	if got := show(None); got != "" {
		t.Errorf("%q", got)
	}
}

// Each bar ends full, and on a line of its own.
func TestBars(t *testing.T) {
	got := show(Bar)
	if strings.Count(got, "\ra warning\n") != 3 {
		t.Errorf("warnings are not on lines of their own: %q", got)
	}
	if strings.Contains(got, "\x1b[2J") || strings.Count(got, "100% [############]") != 3 || !strings.HasSuffix(got, "\n") {
		t.Errorf("%q", got)
	}
}

func TestJSON(t *testing.T) {
	var steps []string
	for line := range strings.Lines(show(JSON)) {
		var object jsonLine
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if object.Length != 1000 {
			t.Errorf("%s", line)
		}
		steps = append(steps, object.Step)
	}
	if got := strings.Join(steps, " "); got != "scanning scanning fetching fetching verifying verifying" {
		t.Error(got)
	}
}

// Decompressing a seed gives more bytes than it has: no more than all is done.
func TestJSONOfCompressedSeed(t *testing.T) {
	var out bytes.Buffer
	(&jsonLines{out: &out}).update(download.Progress{Step: download.Step{Total: 10}, Done: 30}, 1)
	if got := out.String(); !strings.Contains(got, `"done":10,"total":10`) || !strings.Contains(got, `"eta_seconds":0`) {
		t.Error(got)
	}
}

func TestModes(t *testing.T) {
	var m Mode
	for _, name := range []string{"auto", "bar", "lines", "json", "none"} {
		if err := m.Set(name); err != nil || m.String() != name {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if err := m.Set("fast"); err == nil {
		t.Error("no error")
	}
}
