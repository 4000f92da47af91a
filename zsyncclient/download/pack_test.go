package download

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// publishPacked publishes the target as the gzip file that options make of it, with
// text as what the control file says of that.
func (f *fixture) publishPacked(target []byte, options []string, text string) (packed []byte) {
	f.t.Helper()
	cmd := exec.Command("gzip", append([]string{"-n"}, options...)...)
	cmd.Stdin = bytes.NewReader(target)
	out, err := cmd.Output()
	if err != nil {
		f.t.Skip("no gzip to publish with: ", err)
	}
	header := append([]byte{0x1f, 0x8b, 8, 8, 1, 2, 3, 4, 0, 3}, "t.dat\x00"...)
	packed = append(header, out[10:]...)
	in := bufio.NewReader(bytes.NewReader(packed))
	h, err := format.ReadGzipHeader(in)
	if err != nil {
		f.t.Fatal(err)
	}
	raw, _, err := format.MapGzip(h, in, blockSize, new(bytes.Buffer))
	if err != nil {
		f.t.Fatal(err)
	}
	ctl := f.control.Header
	ctl.ZMap, ctl.ZURLs, ctl.URLs = raw, []string{"t.dat.gz"}, nil
	ctl.ZFilename, ctl.Recompress = "t.dat.gz", hex.EncodeToString(header)+text
	f.srv.Put("/t.dat.gz", packed)
	f.srv.Remove("/t.dat")
	return packed
}

func text(n int) []byte {
	return []byte(strings.Repeat("a line of text that is long enough\n", n/35) + string(noise(n/10, 7)))
}

func packedTo(path, plain string) func(*Options) {
	return func(o *Options) { o.Path, o.Packed, o.PlainPath = path, true, plain }
}

// The published gzip file is made of what was found and fetched.
func TestPack(t *testing.T) {
	target := text(200_000)
	for _, tt := range []struct {
		options []string
		text    string
	}{
		{nil, " "},
		{[]string{"--best"}, " --best"},
		{[]string{"--rsyncable"}, " --rsync --no-name"},
		{[]string{"--rsyncable", "--best"}, " --rsync --best"},
	} {
		f := newFixture(t, target)
		want := f.publishPacked(target, tt.options, tt.text)
		old := bytes.Clone(target)
		copy(old[len(old)-9000:], "what was here before")
		seed := f.put("seed", old)
		r, err := f.download(seeds(seed), packedTo(f.path("t.dat.gz"), f.path("t.dat"))).Run(t.Context())
		got, _ := os.ReadFile(f.path("t.dat.gz"))
		if err != nil || !bytes.Equal(got, want) || r.Path != f.path("t.dat.gz") {
			t.Fatalf("%v: %v; %d bytes at %s, want %d\n%v", tt.options, err, len(got), r.Path, len(want), f.warned)
		}
		if r.Fetched == 0 || r.Fetched > 60_000 {
			t.Errorf("%v: %d bytes fetched", tt.options, r.Fetched)
		}
		// Again: it is there.
		if current, err := f.download(packedTo(f.path("t.dat.gz"), f.path("t.dat"))).Current(t.Context()); err != nil || !current {
			t.Errorf("%v: not current: %v", tt.options, err)
		}
		r, err = f.download(packedTo(f.path("t.dat.gz"), f.path("t.dat"))).Run(t.Context())
		if err != nil || !r.UpToDate || r.Fetched > 0 {
			t.Errorf("%v: again: %v, %+v", tt.options, err, r)
		}
		left, _ := os.ReadDir(f.dir)
		if len(left) != 2 { // and the seed
			t.Errorf("%v: left behind: %v", tt.options, left)
		}
	}
}

// A gzip file that cannot be made again is not made up: its content is delivered.
func TestPackOther(t *testing.T) {
	target := text(200_000)
	f := newFixture(t, target)
	f.publishPacked(target, []string{"-1"}, " --best")
	r, err := f.download(packedTo(f.path("t.dat.gz"), f.path("t.dat"))).Run(t.Context())
	got, _ := os.ReadFile(f.path("t.dat"))
	if err != nil || !bytes.Equal(got, target) || r.Path != f.path("t.dat") {
		t.Fatalf("%v; %d bytes at %s", err, len(got), r.Path)
	}
	if len(f.warned) != 1 || !strings.Contains(f.warned[0], "its content is delivered as "+f.path("t.dat")) {
		t.Errorf("warned of %q", f.warned)
	}
	if left, _ := os.ReadDir(f.dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	// Again: nothing is fetched, and nothing replaced.
	r, err = f.download(packedTo(f.path("t.dat.gz"), f.path("t.dat"))).Run(t.Context())
	if err != nil || !r.UpToDate || r.Fetched > 0 {
		t.Errorf("again: %v, %+v", err, r)
	}
	if left, _ := os.ReadDir(f.dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	// Options that nobody may ask for are not carried out.
	f = newFixture(t, target)
	f.publishPacked(target, nil, " -d;true")
	if r, err := f.download(packedTo(f.path("t.dat.gz"), f.path("t.dat"))).Run(t.Context()); err != nil || r.Path != f.path("t.dat") {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestPackedName(t *testing.T) {
	for _, tt := range []struct{ recompress, name, location, want string }{
		{"1f8b --best", "x.tar.gz", "http://h/x.tar.zsync", "x.tar.gz"},
		{"1f8b --best", "other.gz", "http://h/x.tar.zsync", ""},
		{"1f8b --best", "x/../y.gz", "http://h/x.tar.zsync", ""},
		{"", "x.tar.gz", "http://h/x.tar.zsync", ""},
	} {
		h := &format.Header{Recompress: tt.recompress, ZFilename: tt.name, ZMap: make([]byte, 4)}
		if got := PackedName(h, tt.location); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

// What is in the .part cannot be read back, as when the disk fails, and the gzip copy
// needs it: the run ends all the same.
func TestPartUnreadable(t *testing.T) {
	var lines bytes.Buffer
	for i := 0; lines.Len() < 600_000; i++ {
		fmt.Fprintf(&lines, "line %d tells of %d\n", i, i*i%9973)
	}
	f := newFixture(t, lines.Bytes())
	f.publishPacked(lines.Bytes(), nil, " ")
	seed := f.put("seed", edited(lines.Bytes(), 200))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := f.fails(ctx, seeds(seed), func(o *Options) {
		o.Step = func(s Step) {
			if s.Kind != Fetching {
				return
			}
			if err := os.Truncate(f.path("t.dat.part"), 0); err != nil {
				t.Error(err)
			}
		}
	})
	if n := f.srv.Count("/t.dat.gz"); n == 0 || n > 10 {
		t.Errorf("%d requests: %v", n, err)
	}
}
