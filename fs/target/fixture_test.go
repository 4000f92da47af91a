package target

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// fixture is a server with a target at /t.dat and its control file beside it, a
// client and a store.
type fixture struct {
	t      *testing.T
	srv    *rangetest.Server
	client *zsyncclient.Client
	dir    string
	store  *blockstore.Store
	pool   *Pool
	data   []byte

	deadline time.Duration // Options.ReadDeadline of the next openStore

	mu     sync.Mutex
	warned []string         // guarded by mu
	wrong  []blockstore.Key // guarded by mu; what the store told
}

func randomBytes(n int) []byte {
	p := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{7})
	rng.Read(p)
	return p
}

// controlOf is a control file of data; edit may change its text.
func controlOf(t *testing.T, data []byte, blockSize int64, edit func(string) string) []byte {
	t.Helper()
	b, err := format.NewBuilder(format.BuilderOptions{BlockSize: blockSize, Filename: "t.dat", URLs: []string{"t.dat"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(data)
	var out bytes.Buffer
	if _, err := b.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	if edit == nil {
		return out.Bytes()
	}
	head, records, _ := strings.Cut(out.String(), "\n\n")
	return []byte(edit(head) + "\n\n" + records)
}

func newFixture(t *testing.T, length int, edit func(string) string) *fixture {
	t.Helper()
	f := &fixture{t: t, srv: rangetest.New(), data: randomBytes(length), dir: t.TempDir(), deadline: 10 * time.Second}
	if err := f.srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.srv.Stop)
	f.srv.Put("/t.dat", f.data)
	f.srv.Put("/t.dat.zsync", controlOf(t, f.data, 4096, edit))
	client, err := zsyncclient.New(zsyncclient.Options{Origins: []*url.URL{f.controlURL()}, StallTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	f.client = client
	t.Cleanup(client.Close)
	f.openStore()
	t.Cleanup(f.closeStore)
	return f
}

func (f *fixture) controlURL() *url.URL {
	u, err := url.Parse(f.srv.URL("/t.dat.zsync"))
	if err != nil {
		f.t.Fatal(err)
	}
	return u
}

func (f *fixture) openStore() {
	f.t.Helper()
	store, err := blockstore.Open(f.dir, blockstore.Options{Wrong: func(version blockstore.Key) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.wrong = append(f.wrong, version)
	}})
	if err != nil {
		f.t.Fatal(err)
	}
	f.store = store
	f.pool = NewPool(store, f.client, Options{
		ReadDeadline: f.deadline,
		Warn: func(_ string, err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.warned = append(f.warned, err.Error())
		},
	})
}

func (f *fixture) closeStore() {
	if f.store == nil {
		return
	}
	if err := f.pool.Close(); err != nil {
		f.t.Error(err)
	}
	if err := f.store.Close(); err != nil {
		f.t.Error(err)
	}
	f.store = nil
}

// control fetches the header with a small prefix.
func (f *fixture) control() *zsyncclient.Control {
	f.t.Helper()
	ctl, err := f.client.FetchControl(context.Background(), f.controlURL(), zsyncclient.Validators{}, 1<<10)
	if err != nil {
		f.t.Fatal(err)
	}
	return ctl
}

func (f *fixture) open() *Target {
	f.t.Helper()
	t, err := f.pool.Open(f.control())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(t.Close)
	return t
}

// expect reads [off, off+n) and compares it with the original.
func (f *fixture) expect(r interface {
	ReadAt(context.Context, []byte, int64) (int, error)
}, off int64, n int) {
	f.t.Helper()
	p := make([]byte, n)
	got, err := r.ReadAt(context.Background(), p, off)
	want := f.data[min(off, int64(len(f.data))):min(off+int64(n), int64(len(f.data)))]
	if err != nil && (off+int64(n) <= int64(len(f.data)) || err.Error() != "EOF") {
		f.t.Fatalf("read [%d,+%d): %v", off, n, err)
	}
	if !bytes.Equal(p[:got], want) {
		f.t.Fatalf("read [%d,+%d): %d bytes that are not the original's", off, n, got)
	}
}

// fetched is how many bytes of path the server sent, and in how many requests.
func (f *fixture) fetched(path string) (bytes int64, requests int) {
	f.srv.Wait()
	for _, r := range f.srv.Log() {
		if r.Path == path {
			bytes += r.Bytes
			requests++
		}
	}
	return bytes, requests
}
