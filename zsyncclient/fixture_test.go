package zsyncclient

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// fixture is a server with a target at /d/t.dat and its control file beside it,
// and a client that may go there.
type fixture struct {
	t       *testing.T
	srv     *rangetest.Server
	c       *Client
	url     *url.URL // of the control file
	target  []byte
	control []byte
	header  *format.Header
	warned  []string
	mu      sync.Mutex // guards warned
}

type fixtureOptions struct {
	length    int
	blockSize int64
	urls      []string
	client    func(*Options)
}

func randomBytes(n int) []byte {
	p := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(p)
	return p
}

func controlFor(t testing.TB, target []byte, blockSize int64, urls ...string) ([]byte, *format.Header) {
	t.Helper()
	b, err := format.NewBuilder(format.BuilderOptions{BlockSize: blockSize, Filename: "t.dat", URLs: urls})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = b.Write(target)
	var out bytes.Buffer
	if _, err := b.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	h, err := b.Header()
	if err != nil {
		t.Fatal(err)
	}
	h.Size = int64(out.Len()) - h.Geometry().BlockCount()*h.RecordSize()
	return out.Bytes(), h
}

func startServer(t testing.TB) *rangetest.Server {
	t.Helper()
	srv := rangetest.New()
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	return srv
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func newClient(t testing.TB, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func newFixture(t *testing.T, o fixtureOptions) *fixture {
	t.Helper()
	if o.length == 0 {
		o.length = 1<<20 + 777
	}
	if o.blockSize == 0 {
		o.blockSize = 2048
	}
	f := &fixture{t: t, srv: startServer(t), target: randomBytes(o.length)}
	f.control, f.header = controlFor(t, f.target, o.blockSize, o.urls...)
	f.srv.Put("/d/t.dat", f.target)
	f.srv.Put("/d/t.dat.zsync", f.control)
	f.url = mustURL(f.srv.URL("/d/t.dat.zsync"))
	opt := Options{Origins: []*url.URL{f.url}, StallTimeout: 5 * time.Second, Warn: func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.warned = append(f.warned, err.Error())
	}}
	if o.client != nil {
		o.client(&opt)
	}
	f.c = newClient(t, opt)
	return f
}

// ctl is the control file as if it had been fetched.
func (f *fixture) ctl() *Control {
	return &Control{URL: f.url, Final: f.url, Header: f.header, Raw: f.control[:f.header.Size],
		Validators: Validators{Length: int64(len(f.control))}}
}

func (f *fixture) source(mirrors ...*url.URL) *Source { return f.c.NewSource(f.ctl(), mirrors) }

func (f *fixture) records(_ context.Context, r format.BlockRange) ([]byte, error) {
	rr := f.header.RecordRange(r)
	return f.control[rr.Start:rr.End], nil
}

// sink takes blocks and complains about order and overlap.
type sink struct {
	f    *fixture
	next format.BlockID
	got  []byte
}

func (s *sink) deliver(first format.BlockID, data []byte) error {
	if first != s.next {
		s.f.t.Errorf("block %d delivered where %d was due", first, s.next)
	}
	g := s.f.header.Geometry()
	if int64(len(data))%g.BlockSize != 0 && g.Offset(first)+int64(len(data)) != g.Length {
		s.f.t.Errorf("%d bytes are no whole blocks", len(data))
	}
	s.next += format.BlockID((int64(len(data))-1)/g.BlockSize + 1)
	s.got = append(s.got, data...)
	return nil
}

// fetch fetches r and checks every byte that was delivered; the error is the
// caller's to judge.
func (f *fixture) fetch(ctx context.Context, s *Source, r format.BlockRange) error {
	f.t.Helper()
	k := &sink{f: f, next: r.Start}
	err := s.Fetch(ctx, r, Foreground, f.records, k.deliver)
	f.check(k, r, err)
	return err
}

func (f *fixture) fetchAll(ctx context.Context, s *Source) error {
	f.t.Helper()
	k := &sink{f: f}
	err := s.FetchAll(ctx, f.records, k.deliver)
	f.check(k, f.header.Geometry().All(), err)
	return err
}

func (f *fixture) check(k *sink, r format.BlockRange, err error) {
	f.t.Helper()
	want := f.header.Geometry().Bytes(r)
	if !bytes.HasPrefix(f.target[want.Start:want.End], k.got) {
		f.t.Fatal("wrong bytes were delivered")
	}
	if err == nil && int64(len(k.got)) != want.Length() {
		f.t.Fatalf("%d of %d bytes delivered without an error", len(k.got), want.Length())
	}
}

func (f *fixture) all() format.BlockRange { return f.header.Geometry().All() }

// shortly is a context for what must fail by its end.
func shortly(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// wantSourceError checks that err is a *SourceError and has text.
func wantSourceError(t *testing.T, err error, text string) {
	t.Helper()
	var e *SourceError
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *SourceError", err)
	}
	wantText(t, err, text)
}

func wantText(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte(text)) {
		t.Fatalf("error %v, want one with %q", err, text)
	}
}
