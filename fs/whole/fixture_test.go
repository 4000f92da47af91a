package whole

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

const blockSize = 2048

// fixture is a server, a client and a store.
type fixture struct {
	t      *testing.T
	srv    *rangetest.Server
	client *zsyncclient.Client
	dir    string
	store  *blockstore.Store

	mu     sync.Mutex
	warned []string        // guarded by mu
	steps  []download.Step // guarded by mu
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func randomBytes(seed byte, n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(p)
	return p
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, srv: rangetest.New(), dir: t.TempDir()}
	must(t, f.srv.Start())
	t.Cleanup(f.srv.Stop)
	client, err := zsyncclient.New(zsyncclient.Options{
		Origins: []*url.URL{f.url("/")}, StallTimeout: 2 * time.Second,
	})
	must(t, err)
	f.client = client
	t.Cleanup(client.Close)
	f.openStore(f.dir)
	t.Cleanup(func() { f.store.Close() })
	return f
}

func (f *fixture) url(path string) *url.URL {
	u, err := url.Parse(f.srv.URL(path))
	must(f.t, err)
	return u
}

func (f *fixture) openStore(dir string) {
	f.t.Helper()
	store, err := blockstore.Open(dir, blockstore.Options{})
	must(f.t, err)
	f.store = store
}

// publish serves data at path, with its control file.
func (f *fixture) publish(path string, data []byte, edit func(*format.BuilderOptions)) {
	f.t.Helper()
	o := format.BuilderOptions{BlockSize: blockSize, Filename: filepath.Base(path), URLs: []string{filepath.Base(path)}}
	if edit != nil {
		edit(&o)
	}
	b, err := format.NewBuilder(o)
	must(f.t, err)
	b.Write(data)
	var control bytes.Buffer
	_, err = b.WriteTo(&control)
	must(f.t, err)
	f.srv.Put(path, data)
	f.srv.Put(path+".zsync", control.Bytes())
}

func (f *fixture) control(path string) *zsyncclient.Control {
	f.t.Helper()
	ctl, err := f.client.FetchWholeControl(context.Background(), f.url(path+".zsync"), zsyncclient.Validators{})
	must(f.t, err)
	return ctl
}

// fill is a Fill for the target at path.
func (f *fixture) fill(path string, edit func(*Options)) *Fill {
	f.t.Helper()
	ctl := f.control(path)
	o := Options{
		Store: f.store, Control: ctl, Place: blockstore.Place(f.client.Place(ctl)), Source: f.client.NewSource(ctl, nil),
		Step: func(s download.Step) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.steps = append(f.steps, s)
		},
		Warn: func(err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.warned = append(f.warned, err.Error())
		},
	}
	if edit != nil {
		edit(&o)
	}
	fill, err := New(o)
	must(f.t, err)
	f.t.Cleanup(func() { fill.Close() })
	return fill
}

// run fills the version of path, checks it against data and returns the result
// and the bytes of it that the server sent.
func (f *fixture) run(path string, data []byte, edit func(*Options)) (download.Result, int64) {
	f.t.Helper()
	f.srv.Wait()
	before := f.srv.Bytes(path)
	fill := f.fill(path, edit)
	r, err := fill.Run(context.Background())
	must(f.t, err)
	f.same(fill, data)
	must(f.t, fill.Close())
	f.srv.Wait()
	return r, f.srv.Bytes(path) - before
}

// same exports what is complete, and compares it.
func (f *fixture) same(fill *Fill, data []byte) {
	f.t.Helper()
	out := filepath.Join(f.t.TempDir(), "out")
	src, err := fill.OpenData(context.Background())
	must(f.t, err)
	defer src.Close()
	must(f.t, Export(context.Background(), src.File, int64(len(data)), out, time.Time{}))
	got, err := os.ReadFile(out)
	must(f.t, err)
	if !bytes.Equal(got, data) {
		f.t.Error("wrong bytes")
	}
}

func (f *fixture) file(data []byte) string {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "seed")
	must(f.t, os.WriteFile(path, data, 0o600))
	return path
}

func (f *fixture) warnings() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.warned
}
