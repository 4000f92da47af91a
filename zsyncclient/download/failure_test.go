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
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// fails wants the download to fail.
func (f *fixture) fails(ctx context.Context, changes ...func(*Options)) (Result, error) {
	f.t.Helper()
	r, err := f.download(changes...).Run(ctx)
	if err == nil {
		f.t.Fatal("no error")
	}
	return r, err
}

// What is in the .part is not fetched again.
func TestResume(t *testing.T) {
	target := noise(400*blockSize+5, 1)
	f := newFixture(t, target)
	part := bytes.Clone(target)
	clear(part[100*blockSize : 150*blockSize]) // never came
	copy(part[300*blockSize:], noise(100, 2))  // a torn write
	f.put("t.dat.part", part[:380*blockSize])  // and the file was cut
	if r := f.run(nil); r.Fetched != 50*blockSize+blockSize+20*blockSize+5 {
		t.Errorf("%+v", r)
	}
}

// A run that ends while it looks at the .part leaves it as it was.
func TestCancelledWhileResuming(t *testing.T) {
	target := noise(400*blockSize, 3)
	f := newFixture(t, target)
	f.put("t.dat.part", target[:200*blockSize])
	for _, at := range []Kind{Resuming, Fetching} {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := f.fails(ctx, func(o *Options) {
			o.Step = func(s Step) {
				if s.Kind == at {
					cancel()
				}
			}
		})
		if !errors.Is(err, context.Canceled) || r.Part != f.path("t.dat.part") {
			t.Errorf("%v: %+v, %v", at, r, err)
		}
		f.holds("t.dat.part")
	}
	if r := f.run(nil); r.Fetched != 200*blockSize {
		t.Errorf("%+v", r)
	}
}

// A .part of another version is a seed, also after more failures, and gone at the end.
func TestPartOfAnotherVersion(t *testing.T) {
	target := noise(400*blockSize, 4)
	f := newFixture(t, target)
	f.put("t.dat.part", append([]byte("an older version"), target[:300*blockSize]...))
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Status, Status: 404})
	if r, _ := f.fails(t.Context()); r.Part == "" || r.Local != 300*blockSize {
		t.Errorf("%+v", r)
	}
	f.holds("t.dat.part", "t.dat.part.old")
	// The next version: the file under construction is another one's again.
	f.srv.ClearRules()
	f.publish(append(noise(10*blockSize+3, 5), target...))
	if r := f.run(nil); r.Fetched > 113*blockSize || r.Fetched < 110*blockSize {
		t.Errorf("%+v", r)
	}
}

// A file longer than the target is of another version, too.
func TestLongerPart(t *testing.T) {
	target := noise(40*blockSize, 6)
	f := newFixture(t, target)
	f.put("t.dat.part", append(bytes.Clone(target), "more"...))
	if r := f.run(nil); r.Fetched != 0 {
		t.Errorf("%+v", r)
	}
}

// A part that ends within the zeros of a block: they are no bytes of the file yet
// when its blocks are checked.
func TestPartEndsInZeros(t *testing.T) {
	target := append(noise(3*blockSize, 8), make([]byte, blockSize)...)
	target = append(target, noise(blockSize, 9)...)
	f := newFixture(t, target)
	for range 50 {
		f.put("t.dat.part", target[:3*blockSize+10])
		f.run(nil)
		if err := os.Remove(f.path("t.dat")); err != nil {
			t.Fatal(err)
		}
	}
}

// A part that is set aside stays locked until it has its other name: a process
// that waits at the old one must not take the new file for its own.
func TestSetAsideIsBusy(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files are not renamed")
	}
	f := newFixture(t, noise(40*blockSize, 6))
	f.put("t.dat.part", noise(100*blockSize, 7))
	d := f.download()
	if err := d.openPart(); err != nil {
		t.Fatal(err)
	}
	defer d.closePart()
	// Another process has opened it, and asks for the lock all the time.
	other, err := os.OpenFile(f.path("t.dat.part"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	before := d.out
	if err := d.replacePart(); err != nil {
		t.Fatal(err)
	}
	if d.out == before || !stillThere(d.out, f.path("t.dat.part")) || stillThere(other, f.path("t.dat.part")) {
		t.Error("the part is the one before")
	}
	if _, err := before.Stat(); err == nil {
		t.Error("the file before is still open")
	}
	if err := f.download().openPart(); !errors.Is(err, ErrBusy) {
		t.Errorf("the new part: %v", err)
	}
}

// Who is interrupted while the digests are computed is not told that they are wrong.
func TestCancelledWhileVerifying(t *testing.T) {
	f := newFixture(t, noise(40*blockSize, 6))
	d := f.download()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.follow = d.newFollower(ctx)
	<-d.follow.ended
	for range 20 { // ctx and the follower have both ended, in any order
		if err := d.verifyOnce(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

func TestTooManySetAside(t *testing.T) {
	f := newFixture(t, noise(40*blockSize, 6))
	f.put("t.dat.part", noise(100*blockSize, 7))
	names := []string{"t.dat.part"}
	for n := range maxSetAside {
		names = append(names, "t.dat.part.old"+[]string{"", ".1", ".2", ".3", ".4", ".5", ".6", ".7", ".8"}[n])
		f.put(names[n+1], nil)
	}
	if _, err := f.fails(t.Context()); !strings.Contains(err.Error(), "remove them") {
		t.Error(err)
	}
	f.holds(names...)
}

func TestNothingLeft(t *testing.T) {
	f := newFixture(t, noise(40*blockSize, 8))
	f.srv.Remove("/t.dat")
	var fetch *FetchError
	if r, err := f.fails(t.Context()); !errors.As(err, &fetch) || fetch.Missing != 40*blockSize || r.Part != "" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := f.fails(t.Context(), func(o *Options) { o.Source = nil }); !errors.Is(err, ErrNoSource) {
		t.Error(err)
	}
	f.holds()
	// Also where there is an empty file, and zeros that need no bytes.
	f.publish(make([]byte, 10*blockSize))
	f.put("t.dat.part", nil)
	f.publish(append(make([]byte, 10*blockSize), noise(10, 1)...))
	f.srv.Remove("/t.dat")
	f.fails(t.Context())
	f.holds()
}

// A URL that sends wrong data is left for the next one.
func TestWrongURL(t *testing.T) {
	target := noise(100*blockSize, 9)
	two := func(o *format.BuilderOptions) { o.URLs = []string{"wrong.dat", "good.dat"} }
	f := newFixture(t, target, two)
	f.srv.Put("/wrong.dat", noise(100*blockSize, 10))
	f.srv.Put("/good.dat", target)
	f.run(nil)
	if f.srv.Count("/good.dat") == 0 || f.srv.Bytes("/wrong.dat") > 2*int64(len(target)) { // it is asked twice
		t.Errorf("%d requests for the good one, %d bytes from the wrong one", f.srv.Count("/good.dat"), f.srv.Bytes("/wrong.dat"))
	}
}

// A server without ranges streams the file; a seed still saves nothing but is no harm.
func TestNoRanges(t *testing.T) {
	target := noise(300*blockSize, 11)
	f := newFixture(t, target)
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.IgnoreRange})
	f.put("t.dat", edited(target, 40, 200))
	if r := f.run([]string{"t.dat.zs-old"}); r.Fetched != 2*blockSize {
		t.Errorf("%+v", r)
	}
}

// A wrong digest of the whole: the old file stays, and the blocks are kept.
func TestWrongDigest(t *testing.T) {
	target := noise(60*blockSize, 12)
	f := newFixture(t, target)
	f.control.Header.FileHashes[0].Digest[0] ^= 1
	f.put("t.dat", []byte("old"))
	var verify *VerifyError
	for range 2 {
		if r, err := f.fails(t.Context()); !errors.As(err, &verify) || r.Part == "" {
			t.Errorf("%+v, %v", r, err)
		}
		f.holds("t.dat", "t.dat.part")
	}
	if string(f.read("t.dat")) != "old" || f.srv.Bytes("/t.dat") != int64(len(target)) {
		t.Errorf("old file %q, %d bytes sent", f.read("t.dat"), f.srv.Bytes("/t.dat"))
	}
}

// A block of a seed that matches by chance is found out and fetched after all.
func TestFalseMatch(t *testing.T) {
	const size = format.MinBlockSize
	short := format.Lengths{SeqMatches: 1, Rsum: 1, Strong: format.MinStrongLength}
	one, other := collision(t, size, short)
	target := noise(20*size, 13)
	copy(target[7*size:], one)
	f := newFixture(t, target, func(o *format.BuilderOptions) {
		o.BlockSize, o.Lengths = size, func(int64, int64) format.Lengths { return short }
	})
	old := bytes.Clone(target)
	copy(old[7*size:], other)
	f.put("t.dat", old)
	r := f.run([]string{"t.dat.zs-old"})
	if warned := f.warnings(); r.Fetched != int64(len(target)) || !strings.Contains(warned, "by chance") {
		t.Errorf("%+v, warned %q", r, warned)
	}
}

// collision is two blocks of size bytes with the same cut checksums.
func collision(t *testing.T, size int, l format.Lengths) (one, other []byte) {
	seen := map[string]int{}
	block := func(n int) []byte {
		b := make([]byte, size)
		copy(b, []byte{byte(n), byte(n >> 8), byte(n >> 16), 1})
		return b
	}
	const step = 1 << 13
	for n := 0; n < 1<<22; n += step {
		var data []byte
		for i := range step {
			data = append(data, block(n+i)...)
		}
		b, err := format.NewBuilder(format.BuilderOptions{BlockSize: int64(size),
			Lengths: func(int64, int64) format.Lengths { return l }})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = b.Write(data)
		var file bytes.Buffer
		if _, err := b.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
		h, err := b.Header()
		if err != nil {
			t.Fatal(err)
		}
		records := file.Bytes()[h.Size:]
		for i := range step {
			record := string(records[int64(i)*h.RecordSize() : int64(i+1)*h.RecordSize()])
			if m, ok := seen[record]; ok {
				return block(m), block(n + i)
			}
			seen[record] = n + i
		}
	}
	t.Fatal("no two blocks have the same checksums")
	return nil, nil
}

// A server that has gone away is not asked for ever.
func TestPatience(t *testing.T) {
	f := newFixture(t, noise(60*blockSize, 14))
	f.srv.Stop()
	var fetch *FetchError
	_, err := f.fails(t.Context(), func(o *Options) { o.Patience = 150 * time.Millisecond })
	if !errors.As(err, &fetch) || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no block arrived for 50ms: ") {
		t.Error(err)
	}
	f.holds()
}

// A slow line is no reason to give up while the server answers.
func TestPatienceWithSlowLine(t *testing.T) {
	f := newFixture(t, noise(60*blockSize, 15))
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Delay: 300 * time.Millisecond})
	f.run(nil, func(o *Options) {
		o.Patience, o.FailingSince = time.Millisecond, func() time.Time { return time.Time{} }
	})
}

// Two at once: the second one says so; what the first one has stays.
func TestBusy(t *testing.T) {
	target := noise(2000*blockSize, 16)
	f := newFixture(t, target)
	f.put("t.dat.part", target[:blockSize])
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.StallHeader})
	ctx, cancel := context.WithCancel(t.Context())
	fetching, ended := make(chan struct{}), make(chan error)
	go func() {
		_, err := f.download(func(o *Options) {
			o.Step = func(s Step) {
				if s.Kind == Fetching {
					close(fetching)
				}
			}
		}).Run(ctx)
		ended <- err
	}()
	<-fetching
	if r, err := f.fails(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("%+v, %v", r, err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	f.holds("t.dat.part")
	f.srv.ClearRules()
	f.run(nil)
}

// A file that cannot be written ends the run at once.
func TestWriteFails(t *testing.T) {
	f := newFixture(t, noise(100*blockSize, 17))
	for _, kind := range []Kind{Fetching, Scanning} {
		f.put("seed", f.target[:50*blockSize])
		d := f.download(seeds(f.path("seed")))
		d.o.Step = func(s Step) {
			if s.Kind == kind {
				d.out.Close()
			}
		}
		if _, err := d.Run(t.Context()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

// What a server sends for one version does not end up in another.
func TestServerHasOtherVersion(t *testing.T) {
	target := noise(100*blockSize, 18)
	f := newFixture(t, target)
	f.srv.Put("/t.dat", append(noise(100*blockSize, 19), 1))
	var fetch *FetchError
	var length *zsyncclient.LengthError
	if _, err := f.fails(t.Context()); !errors.As(err, &fetch) || !errors.As(err, &length) {
		t.Error(err)
	}
	f.holds()
}

// A server that goes away in the middle: what came is kept, and the next run goes on.
func TestServerGoesAway(t *testing.T) {
	f := newFixture(t, noise(3000*blockSize, 20))
	f.srv.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Stall, After: 2000 * blockSize})
	d := f.download(func(o *Options) { o.Patience = 2 * time.Second })
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for d.Progress().Known < 1500*blockSize {
			select {
			case <-ended:
				return
			case <-time.After(time.Millisecond):
			}
		}
		f.srv.Stop()
	}()
	r, err := d.Run(t.Context())
	close(ended)
	<-stopped
	var fetch *FetchError
	if !errors.As(err, &fetch) || fetch.Missing > 1500*blockSize || r.Part != f.path("t.dat.part") {
		t.Errorf("%+v, %v", r, err)
	}
	f.holds("t.dat.part")
	f.srv.ClearRules()
	if err := f.srv.Start(); err != nil {
		t.Fatal(err)
	}
	f.publish(f.target) // with a client that knows nothing of the failure
	if r := f.run(nil); r.Fetched > 1500*blockSize {
		t.Errorf("%+v", r)
	}
}

// Without a URL that could be asked, the error says why there is none.
func TestNoUsableURL(t *testing.T) {
	f := newFixture(t, noise(10*blockSize, 21), func(o *format.BuilderOptions) { o.URLs = []string{"gopher://h/x"} })
	f.control.URL, f.control.Final = nil, nil
	_, err := f.fails(t.Context())
	if !errors.Is(err, ErrNoSource) || !strings.Contains(err.Error(), "gopher") {
		t.Error(err)
	}
	f.holds()
}
