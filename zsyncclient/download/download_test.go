package download

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// A target goes through its first download, an update and another look.
func TestVersions(t *testing.T) {
	first := noise(300*blockSize+77, 1)
	f := newFixture(t, first)
	if r := f.run(nil); r.Fetched != int64(len(first)) || r.Old != "" || r.UpToDate || r.Unverified {
		t.Errorf("first: %+v", r)
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(f.path("t.dat"), 0o751); err != nil {
			t.Fatal(err)
		}
	}
	f.sent()
	second := append(edited(first, 3, 120, 121), []byte("and more")...)
	f.publish(second)
	r := f.run([]string{"t.dat.zs-old"})
	if r.Old != f.path("t.dat.zs-old") || r.Fetched > 6*blockSize {
		t.Errorf("update: %+v", r)
	}
	if n := f.sent(); n > 6*blockSize+1000 {
		t.Errorf("%d bytes sent for 4 blocks", n)
	}
	if !bytes.Equal(f.read("t.dat.zs-old"), first) {
		t.Error("t.dat.zs-old is not the old file")
	}
	if m := mode(t, f.path("t.dat")); runtime.GOOS != "windows" && m != 0o751 {
		t.Errorf("mode %v", m)
	}
	if r := f.run([]string{"t.dat.zs-old"}); !r.UpToDate || r.Old != "" || r.Fetched != 0 {
		t.Errorf("again: %+v", r)
	}
	// With another time of change all of it is looked at; then the time is set.
	if err := os.Chtimes(f.path("t.dat"), time.Now(), changed.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if r := f.run([]string{"t.dat.zs-old"}); !r.UpToDate || r.Old != "" {
		t.Errorf("other time: %+v", r)
	}
	if !bytes.Equal(f.read("t.dat.zs-old"), first) {
		t.Error("t.dat.zs-old was replaced for nothing")
	}
	if n := f.sent(); n != 0 {
		t.Errorf("%d bytes sent for nothing", n)
	}
	force := func(o *Options) { o.Force = true }
	if r := f.run([]string{"t.dat.zs-old"}, force); r.UpToDate || r.Old == "" || r.Fetched != 0 {
		t.Errorf("forced: %+v", r)
	}
	if !bytes.Equal(f.read("t.dat.zs-old"), second) {
		t.Error("t.dat.zs-old is not the file before")
	}
}

func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, blockSize - 1, blockSize, blockSize + 1, 5 * blockSize} {
		f := newFixture(t, noise(n, 2))
		if r := f.run(nil); r.Fetched != int64(n) {
			t.Errorf("%d bytes: %+v", n, r)
		}
	}
}

// Zeros are neither fetched nor written.
func TestZeros(t *testing.T) {
	data := make([]byte, 4<<20)
	copy(data[1<<20:], noise(2*blockSize, 3))
	f := newFixture(t, data)
	if r := f.run(nil); r.Fetched > 2*blockSize {
		t.Errorf("%+v", r)
	}
	if n := allocated(f.path("t.dat")); n > 1<<20 {
		t.Errorf("%d bytes are taken on the disk", n)
	}
}

// Where the old file, or the part of an earlier run, has other bytes, zeros are written.
func TestZerosOverData(t *testing.T) {
	data := edited(make([]byte, 100*blockSize), 7, 30)
	f := newFixture(t, data)
	f.put("t.dat.part", edited(data, 4, 8, 50))
	f.run(nil)
}

func TestSeeds(t *testing.T) {
	target := noise(200*blockSize, 4)
	f := newFixture(t, target)
	a := f.put("a", target[:90*blockSize])
	b := f.put("b", append([]byte("shifted"), target[100*blockSize:]...))
	if err := os.Mkdir(f.path("folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := f.run([]string{"a", "b", "folder"}, seeds(f.path("none"), a, f.path("folder"), f.path("t.dat"), b, a))
	if r.Fetched != 10*blockSize {
		t.Errorf("%+v", r)
	}
	warned := f.warnings()
	if strings.Count(warned, "seed not used") != 3 || !strings.Contains(warned, "none") || !strings.Contains(warned, "folder") {
		t.Errorf("warnings:\n%s", warned)
	}
}

// Plan says what Run then does, and changes nothing.
func TestPlan(t *testing.T) {
	target := noise(200*blockSize, 5)
	f := newFixture(t, target)
	old := f.put("t.dat", edited(target, 1, 50, 51))
	f.put("t.dat.part", append(edited(target[:100*blockSize], 1), make([]byte, 50*blockSize)...))
	before := f.read("t.dat.part")
	plan, err := f.download().Plan(t.Context())
	if err != nil || plan.Missing != blockSize || plan.MissingRuns != 1 || plan.Local != 199*blockSize {
		t.Errorf("%+v, %v", plan, err)
	}
	if !bytes.Equal(f.read("t.dat.part"), before) || len(f.read("t.dat")) != len(target) {
		t.Errorf("%s was changed", old)
	}
	f.holds("t.dat", "t.dat.part")
	if r := f.run([]string{"t.dat.zs-old"}); r.Fetched != plan.Missing {
		t.Errorf("%+v", r)
	}
	if plan, err = f.download().Plan(t.Context()); err != nil || !plan.UpToDate {
		t.Errorf("%+v, %v", plan, err)
	}
}

// Without a digest of the whole a file is made, and the result says so.
func TestUnverified(t *testing.T) {
	f := newFixture(t, noise(20*blockSize, 6))
	f.control.Header.FileHashes = nil
	if r := f.run(nil); !r.Unverified {
		t.Errorf("%+v", r)
	}
	if ok, err := f.download().Current(t.Context()); !ok || err != nil {
		t.Error(ok, err)
	}
	f.put("t.dat", edited(f.target, 3))
	if ok, err := f.download().Current(t.Context()); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestNewErrors(t *testing.T) {
	f := newFixture(t, noise(3*blockSize, 7))
	if _, err := New(Options{Header: f.control.Header, Records: f.control.Records[1:]}); err == nil {
		t.Error("no error without a record")
	}
}

func TestTargetName(t *testing.T) {
	for _, tt := range []struct{ filename, location, want string }{
		{"t.dat", "http://h/d/t.dat.zsync", "t.dat"},
		{"t-2.dat", "http://h/d/t.zsync", "t-2.dat"},
		{"x.dat", "http://h/d/t.dat.zsync", "t"},
		{"", "http://h/d/t.dat.zsync", "t"},
		{"", "http://h/d/", "d"},
		{"", "http://h", "zsync-download"},
		{"../t.dat", "http://h/t.dat.zsync", "t"},
		{"/tmp/t.dat", "t.dat.zsync", "t"},
		{"t/../../x", "t.dat.zsync", "t"},
		{".", "http://h/.zsync", "zsync-download"},
		{"..", "...zsync", "zsync-download"},
		{".bashrc", "http://h/.bashrc.zsync", ".bashrc"},
		{".bashrc", "http://h/x.zsync", "x"},
		{"-rf", "http://h/-rf.zsync", "-rf"},
		{"t\x1b[2J", "http://h/t.zsync", "t"},
		{"t\nx", "t.zsync", "t"},
		{"t.dat", "http://h/t.dat.zsync?x=/y.zsync#z", "t.dat"},
		{"a b.dat", "http://h/a%20b.dat.zsync", "a b.dat"},
		{"t" + strings.Repeat("x", 300), "http://h/t.zsync", "t"},
		{"t.dat", "http://h/" + strings.Repeat("x", 300) + ".zsync", "zsync-download"},
	} {
		if got := TargetName(&format.Header{Filename: tt.filename}, tt.location); got != tt.want {
			t.Errorf("%q from %q: %q, want %q", tt.filename, tt.location, got, tt.want)
		}
	}
}

// Steps come in order, and Progress agrees with them.
func TestSteps(t *testing.T) {
	target := noise(50*blockSize, 8)
	f := newFixture(t, target)
	f.put("t.dat", edited(target, 9))
	var kinds []string
	var d *Download
	d = f.download(func(o *Options) {
		o.Step = func(s Step) {
			kinds = append(kinds, s.Kind.String())
			if p := d.Progress(); len(kinds) > 1 && (p.Step.Kind == s.Kind || p.Done != p.Step.Total) {
				t.Errorf("before %v: %+v", s.Kind, p)
			}
		}
	})
	if _, err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(kinds, " "); got != "scanning fetching verifying" {
		t.Error(got)
	}
	if p := d.Progress(); p.Done != int64(len(target)) || p.Known != p.Length || p.Length != int64(len(target)) {
		t.Errorf("%+v", p)
	}
}

func TestCancelled(t *testing.T) {
	f := newFixture(t, noise(50*blockSize, 9))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.download().Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	f.holds()
}
