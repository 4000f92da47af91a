package target

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/forged"
	"github.com/zsyncfs/zsyncfs/fs/target/reuse"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// shelf is servers, each an origin of its own, before one store.
type shelf struct {
	t      *testing.T
	store  *blockstore.Store
	pool   *Pool
	client *zsyncclient.Client

	mu     sync.Mutex
	warned []string // guarded by mu
}

// server is a new origin.
func (s *shelf) server() *rangetest.Server {
	s.t.Helper()
	srv := rangetest.New()
	if err := srv.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(srv.Stop)
	u, err := url.Parse(srv.URL("/"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.client.AddOrigin(u)
	return srv
}

func newShelf(t *testing.T, o Options) *shelf {
	t.Helper()
	s := &shelf{t: t}
	var err error
	if s.client, err = zsyncclient.New(zsyncclient.Options{StallTimeout: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	if s.store, err = blockstore.Open(t.TempDir(), blockstore.Options{}); err != nil {
		t.Fatal(err)
	}
	o.Warn = func(_ string, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.warned = append(s.warned, err.Error())
	}
	s.pool = NewPool(s.store, s.client, o)
	t.Cleanup(func() {
		if err := s.pool.Close(); err != nil {
			t.Error(err)
		}
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// publish serves data at path of srv, with a control file.
func (s *shelf) publish(srv *rangetest.Server, path string, data []byte, o format.BuilderOptions) {
	s.t.Helper()
	o.URLs = []string{filepath.Base(path)}
	b, err := format.NewBuilder(o)
	if err != nil {
		s.t.Fatal(err)
	}
	b.Write(data)
	var control bytes.Buffer
	if _, err := b.WriteTo(&control); err != nil {
		s.t.Fatal(err)
	}
	srv.Put(path, data)
	srv.Put(path+".zsync", control.Bytes())
}

// open opens path until the end of the test.
func (s *shelf) open(srv *rangetest.Server, path string) *Target {
	s.t.Helper()
	u, err := url.Parse(srv.URL(path + ".zsync"))
	if err != nil {
		s.t.Fatal(err)
	}
	ctl, err := s.client.FetchControl(context.Background(), u, zsyncclient.Validators{}, 1<<10)
	if err != nil {
		s.t.Fatal(err)
	}
	t, err := s.pool.Open(ctl)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(t.Close)
	return t
}

// read reads all of path as a program would, compares it, and returns the target
// once it has the state want.
func (s *shelf) read(srv *rangetest.Server, path string, data []byte, want blockstore.State) *Target {
	s.t.Helper()
	t := s.open(srv, path)
	s.compare(t, data)
	for deadline := time.Now().Add(20 * time.Second); t.version.State() != want || t.busy(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is %v, want %v", path, t.version.State(), want)
		}
	}
	return t
}

func (s *shelf) compare(t *Target, data []byte) {
	s.t.Helper()
	r, got := t.NewReader(), make([]byte, 0, len(data))
	p := make([]byte, 128<<10)
	for off := int64(0); off < int64(len(data)); {
		n, err := r.ReadAt(context.Background(), p, off)
		if err != nil && err.Error() != "EOF" {
			s.t.Fatal(err)
		}
		got = append(got, p[:n]...)
		off += int64(n)
	}
	if !bytes.Equal(got, data) {
		s.t.Fatal("wrong bytes")
	}
}

// sent is how many bytes of path a server sent.
func sent(srv *rangetest.Server, path string) int64 {
	srv.Wait()
	return srv.Bytes(path)
}

// edited is data with some blocks changed and some bytes put in.
func edited(data []byte) []byte {
	out := bytes.Clone(data)
	rng := rand.NewChaCha8([32]byte{1})
	for _, at := range []int{100_000, 700_000, 700_500, 1_500_000} {
		rng.Read(out[at : at+100])
	}
	extra := make([]byte, 777)
	rng.Read(extra)
	return append(append(append([]byte(nil), out[:1_000_000]...), extra...), out[1_000_000:]...)
}

func TestSecondVersionCostsWhatIsNew(t *testing.T) {
	s := newShelf(t, Options{})
	srv := s.server()
	one := randomBytes(4 * mib)
	two := edited(one)
	o := format.BuilderOptions{BlockSize: 2048}
	s.publish(srv, "/d/x-1.img", one, o)
	s.publish(srv, "/d/x-2.img", two, o)
	first := s.read(srv, "/d/x-1.img", one, blockstore.Verified)
	second := s.read(srv, "/d/x-2.img", two, blockstore.Verified)
	if n := sent(srv, "/d/x-2.img"); n == 0 || n > 8*2048 {
		t.Errorf("%d bytes of the second version were sent", n)
	}
	if second.version.Shares() != 0 || first.version.Shares() == 0 {
		t.Errorf("the newest shares %d blocks, the one before %d: want it whole", second.version.Shares(), first.version.Shares())
	}
	if st := s.store.Stats(); st.DataBytes > 4*mib+16*2048 {
		t.Errorf("two versions take %d bytes", st.DataBytes)
	}
	s.compare(first, one)
	s.compare(second, two)
}

func TestSeedCostsWhatIsNew(t *testing.T) {
	one := randomBytes(4 * mib)
	two := edited(one)
	dir := t.TempDir()
	for name, data := range map[string][]byte{"x-1.img": one, "else": two[:100]} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, seed := range []string{dir, filepath.Join(dir, "x-1.img")} {
		s := newShelf(t, Options{Seeds: []string{seed}, Share: reuse.ShareNone})
		srv := s.server()
		s.publish(srv, "/x-2.img", two, format.BuilderOptions{BlockSize: 2048})
		s.read(srv, "/x-2.img", two, blockstore.Verified)
		if n := sent(srv, "/x-2.img"); n == 0 || n > 8*2048 {
			t.Errorf("%s: %d bytes were sent", seed, n)
		}
	}
}

func TestShareNone(t *testing.T) {
	s := newShelf(t, Options{Share: reuse.ShareNone})
	srv := s.server()
	data := randomBytes(1 * mib)
	for _, path := range []string{"/x-1.img", "/x-2.img"} {
		s.publish(srv, path, data, format.BuilderOptions{Filename: path[1:]})
		s.read(srv, path, data, blockstore.Verified)
		if n := sent(srv, path); n != int64(len(data)) {
			t.Errorf("%s: %d bytes were sent", path, n)
		}
	}
}

const forgedBlock = forged.BlockSize

// forge is a block that has the record of block, as far as it is kept, and is another.
// The search begins where one is found at once.
func forge(t *testing.T, block []byte) []byte {
	t.Helper()
	const start = 1412956
	out, number, err := forged.Block(block, start)
	if err != nil {
		t.Fatal(err)
	}
	if number != start {
		t.Logf("the search should start at %d", number)
	}
	return out
}

// TestForgedBlock: a block that has another's record, as far as that is kept, and is
// another, never crosses origins; where it may be used it is found by the digest of
// the whole, and fetched.
func TestForgedBlock(t *testing.T) {
	victim := randomBytes(1 * mib)
	const at = 700 * forgedBlock
	block := victim[at : at+forgedBlock]
	fake := forge(t, block)
	evil := bytes.Clone(victim)
	copy(evil[at:], fake)
	h := format.BuilderOptions{BlockSize: forgedBlock, Lengths: forged.Cut}
	full := format.BuilderOptions{BlockSize: forgedBlock}

	check := checksum.MD4.SumBlocks(nil, fake, forgedBlock)
	if bytes.Equal(fake, block) || !bytes.Equal(check[:3], checksum.MD4.SumBlocks(nil, block, forgedBlock)[:3]) {
		t.Fatal("the block is no forgery")
	}
	t.Run("another origin", func(t *testing.T) {
		s := newShelf(t, Options{})
		bad, good := s.server(), s.server()
		s.publish(bad, "/x.img", evil, full)
		s.publish(good, "/x.img", victim, h)
		s.read(bad, "/x.img", evil, blockstore.Verified)
		s.read(good, "/x.img", victim, blockstore.Verified)
		if n := sent(good, "/x.img"); n < int64(len(victim)) {
			t.Errorf("only %d bytes came from the file's own server", n)
		}
		s.nothingWarned()
	})
	t.Run("by itself in one origin", func(t *testing.T) {
		// One block, between others that do not match, is not believed.
		s := newShelf(t, Options{})
		srv := s.server()
		alone := make([]byte, len(victim))
		rand.NewChaCha8([32]byte{3}).Read(alone)
		copy(alone[at:], fake)
		s.publish(srv, "/x-1.img", alone, full)
		s.publish(srv, "/x-2.img", victim, h)
		s.read(srv, "/x-1.img", alone, blockstore.Verified)
		s.read(srv, "/x-2.img", victim, blockstore.Verified)
		s.nothingWarned()
	})
	for name, o := range map[string]Options{"in one origin": {}, "as a seed": {Share: reuse.ShareNone}} {
		t.Run(name, func(t *testing.T) {
			if o.Share == reuse.ShareNone {
				seed := filepath.Join(t.TempDir(), "x.img")
				if err := os.WriteFile(seed, evil, 0o644); err != nil {
					t.Fatal(err)
				}
				o.Seeds = []string{seed}
			}
			s := newShelf(t, o)
			srv := s.server()
			s.publish(srv, "/x-1.img", evil, full)
			s.publish(srv, "/x-2.img", victim, h)
			s.read(srv, "/x-1.img", evil, blockstore.Verified)
			repaired(s, srv, victim)
		})
	}
}

// repaired reads a target that is wrong at first, until it is right.
func repaired(s *shelf, srv *rangetest.Server, data []byte) {
	s.t.Helper()
	u, err := url.Parse(srv.URL("/x-2.img.zsync"))
	if err != nil {
		s.t.Fatal(err)
	}
	ctl, err := s.client.FetchControl(context.Background(), u, zsyncclient.Validators{}, 1<<10)
	if err != nil {
		s.t.Fatal(err)
	}
	t, err := s.pool.Open(ctl)
	if err != nil {
		s.t.Fatal(err)
	}
	defer t.Close()
	p := make([]byte, len(data))
	if _, err := t.ReadAt(context.Background(), p, 0); err != nil && err.Error() != "EOF" {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); t.version.State() != blockstore.Verified || t.busy(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("it is %v", t.version.State())
		}
	}
	s.compare(t, data)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(strings.Join(s.warned, "\n"), "match by chance") {
		s.t.Errorf("the forged block was not used: warned of %q", s.warned)
	}
	if !t.mustFetch() {
		s.t.Error("the next time the same blocks would be reused")
	}
}

func (s *shelf) nothingWarned() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.warned) > 0 {
		s.t.Errorf("warned of %q", s.warned)
	}
}

func TestStrict(t *testing.T) {
	s := newShelf(t, Options{Strict: true, ReadDeadline: 5 * time.Second})
	srv := s.server()
	data := randomBytes(3 * mib)
	s.publish(srv, "/x.img", data, format.BuilderOptions{})
	// A control file whose digest is of something else: not a byte is served.
	wrong := bytes.Clone(data)
	wrong[2*mib] ^= 1
	b, err := format.NewBuilder(format.BuilderOptions{URLs: []string{"y.img"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(data)
	var control bytes.Buffer
	if _, err := b.WriteTo(&control); err != nil {
		t.Fatal(err)
	}
	head, records, _ := strings.Cut(control.String(), "\n\n")
	sum := head[strings.Index(head, "SHA-1: ")+7:][:40]
	head = strings.Replace(head, sum, strings.Repeat("0", 40), 1)
	srv.Put("/y.img", data)
	srv.Put("/y.img.zsync", []byte(head+"\n\n"+records))
	p := make([]byte, 4096)
	good := s.open(srv, "/x.img")
	if _, err := good.NewReader().ReadAt(context.Background(), p, 1*mib); err != nil || !bytes.Equal(p, data[1*mib:][:4096]) {
		t.Errorf("a read: %v", err)
	}
	if good.version.State() != blockstore.Verified {
		t.Errorf("a byte was served of a file that is %v", good.version.State())
	}
	if n, err := s.open(srv, "/y.img").NewReader().ReadAt(context.Background(), p, 0); err == nil {
		t.Errorf("%d bytes were served of a file that is wrong", n)
	}
}

// TestStrictWithoutRoom: a file that has to be verified first, and for which there is no
// room, cannot be read, and why is said.
func TestStrictWithoutRoom(t *testing.T) {
	s := newShelf(t, Options{Strict: true, ReadDeadline: time.Hour})
	s.store.SetLimits(blockstore.Limits{Size: 1 * mib})
	srv := s.server()
	s.publish(srv, "/x.img", randomBytes(3*mib), format.BuilderOptions{})
	tg, p := s.open(srv, "/x.img"), make([]byte, 4096)
	for range 2 {
		_, err := tg.NewReader().ReadAt(context.Background(), p, 1*mib)
		if !errors.Is(err, blockstore.ErrLimit) || !strings.Contains(err.Error(), "is to be verified first, and the store does not take all") {
			t.Errorf("a read: %v", err)
		}
	}
	if n := sent(srv, "/x.img"); n > 3*mib {
		t.Errorf("%d bytes were sent", n)
	}
	s.store.SetLimits(blockstore.Limits{Size: 8 * mib})
	if _, err := tg.NewReader().ReadAt(context.Background(), p, 1*mib); err != nil {
		t.Errorf("a read when there is room: %v", err)
	}
}

func TestFillFull(t *testing.T) {
	s := newShelf(t, Options{Fill: FillFull})
	srv := s.server()
	data := randomBytes(6 * mib)
	s.publish(srv, "/x.img", data, format.BuilderOptions{})
	u, _ := url.Parse(srv.URL("/x.img.zsync"))
	ctl, err := s.client.FetchControl(context.Background(), u, zsyncclient.Validators{}, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	tg, err := s.pool.Open(ctl)
	if err != nil {
		t.Fatal(err)
	}
	tg.Close() // what was opened once is completed, also when it is closed at once
	for deadline := time.Now().Add(20 * time.Second); tg.version.State() != blockstore.Verified; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d blocks are here", tg.version.KnownCount(), tg.geometry.BlockCount())
		}
	}
	if n := sent(srv, "/x.img"); n != int64(len(data)) {
		t.Errorf("%d bytes were sent", n)
	}
}
