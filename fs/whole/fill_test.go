package whole

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// versions are two versions of a file, of which the second has 10 changed blocks.
func versions() (first, second []byte) {
	first = randomBytes(1, 1<<20+100)
	second = bytes.Clone(first)
	for i := range 10 {
		second[100_000*i+5] ^= 0xff
	}
	return first, second
}

func TestSecondVersionTakesTheChangedBlocks(t *testing.T) {
	f := newFixture(t)
	first, second := versions()
	f.publish("/d/x-1.0.img", first, nil)
	f.publish("/d/x-1.1.img", second, nil)
	if r, sent := f.run("/d/x-1.0.img", first, nil); sent != int64(len(first)) || r.Fetched != sent || r.Local != 0 {
		t.Errorf("the first: %+v, %d bytes sent", r, sent)
	}
	plan, err := f.fill("/d/x-1.1.img", nil).Plan(context.Background())
	if err != nil || plan.Missing != 10*blockSize || plan.MissingRuns != 10 || plan.Local+plan.Missing != int64(len(second)) {
		t.Errorf("the plan: %+v, %v", plan, err)
	}
	r, sent := f.run("/d/x-1.1.img", second, nil)
	if r.Fetched != 10*blockSize || sent > 11*blockSize || r.Local != int64(len(second))-r.Fetched {
		t.Errorf("the second: %+v, %d bytes sent", r, sent)
	}
	for range 2 { // in the store, and after it was closed
		r, sent = f.run("/d/x-1.1.img", second, nil)
		if sent != 0 || r.Fetched != 0 || r.Local != int64(len(second)) {
			t.Errorf("again: %+v, %d bytes sent", r, sent)
		}
		must(t, f.store.Close())
		f.openStore(f.dir)
	}
	f.publish("/d/else.img", second, nil)
	if r, _ := f.run("/d/else.img", second, nil); r.Fetched != 0 {
		t.Errorf("a file of another name, which has the same blocks: %+v", r)
	}
	f.publish("/e/x-1.1.img", second, nil)
	if r, _ := f.run("/e/x-1.1.img", second, func(o *Options) { o.Relatives = -1 }); r.Local != 0 {
		t.Errorf("without relatives: %+v", r)
	}
}

func TestPlanMakesNothing(t *testing.T) {
	f := newFixture(t)
	data := randomBytes(1, 100_000)
	f.publish("/x", data, nil)
	fill := f.fill("/x", nil)
	if r, err := fill.Plan(context.Background()); err != nil || r.Missing != int64(len(data)) || r.MissingRuns != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	fill = f.fill("/x", func(o *Options) { o.Store, o.Seeds = nil, []string{f.file(data[50_000:])} })
	r, err := fill.Plan(context.Background())
	if err != nil || r.Local < 40_000 || r.Local > 50_000 || r.Local+r.Missing != int64(len(data)) {
		t.Errorf("by a seed alone: %+v, %v", r, err)
	}
	if _, err := fill.Run(context.Background()); !errors.Is(err, ErrNoStore) {
		t.Errorf("Run without a store: %v", err)
	}
	if n := f.store.Stats().Versions; n != 0 || f.srv.Bytes("/x") != 0 {
		t.Errorf("%d versions made, %d bytes fetched", n, f.srv.Bytes("/x"))
	}
}

func TestSeeds(t *testing.T) {
	f := newFixture(t)
	first, second := versions()
	f.publish("/x", second, nil)
	missing := filepath.Join(t.TempDir(), "missing")
	seed := f.file(first)
	r, sent := f.run("/x", second, func(o *Options) { o.Seeds = []string{missing, seed, seed} })
	if r.Fetched != 10*blockSize || sent > 11*blockSize {
		t.Errorf("%+v, %d bytes sent", r, sent)
	}
	if w := f.warnings(); len(w) != 1 || !strings.Contains(w[0], "seed not used") {
		t.Errorf("warnings: %q", w)
	}
	var kinds []string
	for _, s := range f.steps {
		kinds = append(kinds, s.Kind.String())
	}
	if want := []string{"scanning", "fetching", "verifying"}; !slices.Equal(kinds, want) {
		t.Errorf("steps: %v", kinds)
	}
}

// forge is a file of blocks with equal rsums, and a block that none of them is
// but that matches one by an rsum and three bytes of MD4.
func forge(t *testing.T) (data, forged []byte) {
	t.Helper()
	const count = 2000
	base := bytes.Repeat([]byte{100}, blockSize)
	// Adding 1, -2 and 1 to bytes at equal distances changes no rsum.
	variant := func(i int) []byte {
		p := bytes.Clone(base)
		for bit := range 24 {
			if i>>bit&1 == 1 {
				p[3*bit]++
				p[3*bit+1] -= 2
				p[3*bit+2]++
			}
		}
		return p
	}
	sums := map[string]bool{}
	for i := range count {
		data = append(data, variant(i)...)
		sums[string(checksum.MD4.SumBlocks(nil, variant(i), blockSize)[:3])] = true
	}
	for i := count; i < 1<<24; i++ {
		p := variant(i)
		if sums[string(checksum.MD4.SumBlocks(nil, p, blockSize)[:3])] {
			return data, p
		}
	}
	t.Fatal("no forgery found")
	return nil, nil
}

func shortChecksums(o *format.BuilderOptions) {
	o.Lengths = func(int64, int64) format.Lengths { return format.Lengths{SeqMatches: 1, Rsum: 4, Strong: 3} }
}

func TestFalseMatchIsRepaired(t *testing.T) {
	f := newFixture(t)
	data, forged := forge(t)
	f.publish("/x", data, shortChecksums)
	seed := append(forged, data[:len(data)/2]...)
	r, _ := f.run("/x", data, func(o *Options) { o.Seeds = []string{f.file(seed)} })
	if w := f.warnings(); len(w) != 1 || !strings.Contains(w[0], "by chance") {
		t.Errorf("warnings: %q", w)
	}
	if r.Local != 0 || r.Fetched != int64(len(data)) {
		t.Errorf("%+v", r)
	}
	if p, _ := f.store.Peek(f.fill("/x", nil).key()); p.State != blockstore.Verified {
		t.Errorf("state %v", p.State)
	}
}

func TestWrongDigest(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(*format.BuilderOptions)
		known bool
		state blockstore.State
	}{
		{"full checksums", nil, true, blockstore.Suspect},
		{"short checksums", shortChecksums, false, blockstore.Provisional},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			data := randomBytes(3, 200_000)
			f.publish("/x", data, c.edit)
			fill := f.fill("/x", nil)
			for i := range fill.h.FileHashes {
				fill.h.FileHashes[i].Digest[0] ^= 1
			}
			_, err := fill.Run(context.Background())
			var wrong *download.VerifyError
			if !errors.As(err, &wrong) {
				t.Fatalf("Run: %v", err)
			}
			if got := fill.version.KnownCount() > 0; got != c.known || fill.version.State() != c.state {
				t.Errorf("known %v, state %v", got, fill.version.State())
			}
			must(t, fill.Close())
			// The right control file then has all that it needs, from somewhere.
			f.run("/x", data, nil)
		})
	}
}

func TestCancelledRunLosesNothing(t *testing.T) {
	f := newFixture(t)
	data := randomBytes(4, 4<<20)
	f.publish("/x", data, nil)
	f.srv.SetRate(8 << 20)
	ctx, cancel := context.WithCancelCause(context.Background())
	left := errors.New("the user left")
	fill := f.fill("/x", nil)
	go func() {
		for fill.fetched.Load() < 1<<20 {
			time.Sleep(time.Millisecond)
		}
		cancel(left)
	}()
	if _, err := fill.Run(ctx); !errors.Is(err, left) {
		t.Fatalf("Run: %v", err)
	}
	had := fill.version.KnownCount() * blockSize
	must(t, fill.Close())
	f.srv.SetRate(0)
	r, sent := f.run("/x", data, nil)
	if had < 1<<20 || r.Local != had || sent != int64(len(data))-had {
		t.Errorf("%d bytes were here; then %+v, %d sent", had, r, sent)
	}
}

func TestServerWithoutRanges(t *testing.T) {
	f := newFixture(t)
	first, second := versions()
	f.publish("/x", second, nil)
	f.srv.Add(rangetest.Rule{Path: "/x", Fault: rangetest.IgnoreRange})
	if r, _ := f.run("/x", second, func(o *Options) { o.Seeds = []string{f.file(first)} }); r.Fetched != 10*blockSize {
		t.Errorf("%+v", r)
	}
}

func TestServerThatFails(t *testing.T) {
	f := newFixture(t)
	data := randomBytes(5, 100_000)
	f.publish("/x", data, nil)
	f.srv.Remove("/x")
	_, err := f.fill("/x", nil).Run(context.Background())
	var failed *download.FetchError
	var status *zsyncclient.StatusError
	if !errors.As(err, &failed) || failed.Missing != int64(len(data)) || !errors.As(err, &status) {
		t.Errorf("Run: %v", err)
	}
	_, err = f.fill("/x", func(o *Options) { o.Source = nil }).Run(context.Background())
	if !errors.Is(err, download.ErrNoSource) {
		t.Errorf("without a source: %v", err)
	}
}

// TestControlFileMended: the header is the same and the records are others.
func TestControlFileMended(t *testing.T) {
	f := newFixture(t)
	data := randomBytes(6, 100_000)
	f.publish("/x", data, nil)
	fill := f.fill("/x", func(o *Options) { o.Control = f.damaged("/x") })
	if _, err := fill.Run(context.Background()); err == nil {
		t.Fatal("a wrong record was believed")
	}
	must(t, fill.Close())
	f.run("/x", data, func(o *Options) { o.Again = f.again("/x") })
}

func TestDamagedBlocksAreFetchedAgain(t *testing.T) {
	f := newFixture(t)
	data := randomBytes(7, 1<<20)
	f.publish("/x", data, nil)
	f.run("/x", data, nil)
	must(t, f.store.Close())
	files, err := filepath.Glob(filepath.Join(f.dir, "versions", "*", "data"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	file, err := os.OpenFile(files[0], os.O_WRONLY, 0)
	must(t, err)
	for _, off := range []int64{100_000, 500_000} {
		_, err := file.WriteAt([]byte("rot"), off)
		must(t, err)
	}
	must(t, file.Close())
	f.openStore(f.dir)
	if r, sent := f.run("/x", data, nil); sent != 2*blockSize || r.Fetched != sent {
		t.Errorf("%+v, %d bytes sent", r, sent)
	}
}

// TestSharedWithMounts: what Run leaves is what a mount of the same URL reads.
func TestSharedWithMounts(t *testing.T) {
	f := newFixture(t)
	data := randomBytes(8, 1<<20)
	f.publish("/x", data, nil)
	pool := target.NewPool(f.store, f.client, target.Options{})
	defer pool.Close()
	open, err := pool.Open(f.control("/x"))
	must(t, err)
	defer open.Close()
	p := make([]byte, 1000)
	_, err = open.ReadAt(context.Background(), p, 500_000)
	must(t, err)
	f.srv.Wait()
	read := f.srv.Bytes("/x")
	r, sent := f.run("/x", data, nil)
	if r.Local == 0 || r.Local+r.Fetched != int64(len(data)) {
		t.Errorf("%+v; a reader took %d, then %d were sent", r, read, sent)
	}
	before := f.srv.Count("/x")
	got := make([]byte, len(data))
	if _, err := open.ReadAt(context.Background(), got, 0); err != nil || !bytes.Equal(got, data) {
		t.Errorf("ReadAt: %v", err)
	}
	if n := f.srv.Count("/x") - before; n != 0 {
		t.Errorf("%d requests for what is here", n)
	}
	if local := pool.Local(f.control("/x")); local.State != blockstore.Verified {
		t.Errorf("%+v", local)
	}
}

// Blocks of zeros are not fetched, also when there is nothing to be scanned.
func TestZeros(t *testing.T) {
	f := newFixture(t)
	data := append(make([]byte, 90*blockSize), randomBytes(9, 10*blockSize)...)
	f.publish("/z.img", data, nil)
	plan, err := f.fill("/z.img", nil).Plan(context.Background())
	if err != nil || plan.Missing != 10*blockSize || plan.MissingRuns != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
	if r, _ := f.run("/z.img", data, nil); r.Fetched != 10*blockSize {
		t.Errorf("%+v", r)
	}
}

// Who is told of a step can see how the one before ended.
func TestStepsEnd(t *testing.T) {
	f := newFixture(t)
	first, second := versions()
	f.publish("/disk-2.img", second, nil)
	var kinds []download.Kind
	var fill *Fill
	fill = f.fill("/disk-2.img", func(o *Options) {
		o.Seeds = []string{f.file(first)}
		o.Step = func(s download.Step) {
			kinds = append(kinds, s.Kind)
			if p := fill.Progress(); len(kinds) > 1 && (p.Step.Kind == s.Kind || p.Done != p.Step.Total) {
				t.Errorf("before %v: %+v", s.Kind, p)
			}
		}
	})
	_, err := fill.Run(context.Background())
	must(t, err)
	if want := []download.Kind{download.Scanning, download.Fetching, download.Verifying}; !slices.Equal(kinds, want) {
		t.Errorf("%v", kinds)
	}
}

// Why there is no URL is said, not only that there is none.
func TestNoUsableURL(t *testing.T) {
	f := newFixture(t)
	f.publish("/x.img", randomBytes(3, 5*blockSize), nil)
	_, err := f.fill("/x.img", func(o *Options) {
		ctl := *o.Control
		ctl.URL, ctl.Final = nil, nil
		o.Source = f.client.NewSource(&ctl, nil)
	}).Run(context.Background())
	if !errors.Is(err, download.ErrNoSource) || !strings.Contains(err.Error(), "relative URL") {
		t.Error(err)
	}
}

func TestEmptyTarget(t *testing.T) {
	f := newFixture(t)
	f.publish("/x", nil, nil)
	f.run("/x", nil, nil)
}

func TestNotWholeControl(t *testing.T) {
	f := newFixture(t)
	f.publish("/x", randomBytes(9, 100_000), nil)
	ctl := f.control("/x")
	ctl.Records = ctl.Records[:40]
	if _, err := New(Options{Control: ctl}); !errors.Is(err, ErrControl) {
		t.Errorf("New: %v", err)
	}
}
