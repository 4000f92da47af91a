package download

import (
	"bytes"
	"context"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

const blockSize = 1024

var changed = time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)

// noise is n bytes that do not repeat.
func noise(n int, seed byte) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// fixture is a server with a target at /t.dat, and a folder to make it in.
type fixture struct {
	t       *testing.T
	srv     *rangetest.Server
	client  *zsyncclient.Client
	control *zsyncclient.Control
	target  []byte
	dir     string
	mu      sync.Mutex
	warned  []string // guarded by mu
}

func newFixture(t *testing.T, target []byte, changes ...func(*format.BuilderOptions)) *fixture {
	t.Helper()
	f := &fixture{t: t, srv: rangetest.New(), dir: t.TempDir()}
	if err := f.srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.srv.Stop)
	f.publish(target, changes...)
	return f
}

// publish puts a version of the target on the server.
func (f *fixture) publish(target []byte, changes ...func(*format.BuilderOptions)) {
	f.t.Helper()
	o := format.BuilderOptions{BlockSize: blockSize, Filename: "t.dat", MTime: changed, URLs: []string{"t.dat"}}
	for _, change := range changes {
		change(&o)
	}
	b, err := format.NewBuilder(o)
	if err != nil {
		f.t.Fatal(err)
	}
	var file bytes.Buffer
	_, _ = b.Write(target)
	if _, err := b.WriteTo(&file); err != nil {
		f.t.Fatal(err)
	}
	f.target = target
	f.srv.Put("/t.dat", target)
	from, err := url.Parse(f.srv.URL("/t.dat.zsync"))
	if err != nil {
		f.t.Fatal(err)
	}
	if f.control, err = zsyncclient.ReadControl(&file, from); err != nil {
		f.t.Fatal(err)
	}
	// A version has a client of its own, which knows nothing of the one before.
	f.client, err = zsyncclient.New(zsyncclient.Options{Origins: []*url.URL{from}})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(f.client.Close)
}

func (f *fixture) path(name string) string { return filepath.Join(f.dir, name) }

func (f *fixture) put(name string, data []byte) string {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), data, 0o644); err != nil {
		f.t.Fatal(err)
	}
	return f.path(name)
}

// download prepares the download of the target to the folder's t.dat.
func (f *fixture) download(changes ...func(*Options)) *Download {
	f.t.Helper()
	o := Options{Header: f.control.Header, Records: f.control.Records, Path: f.path("t.dat"),
		Source: f.client.NewSource(f.control, nil),
		Warn: func(err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.warned = append(f.warned, err.Error())
		}}
	for _, change := range changes {
		change(&o)
	}
	d, err := New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

func seeds(paths ...string) func(*Options) { return func(o *Options) { o.Seeds = paths } }

// run downloads, and wants the target and, beside what is named, no other file.
func (f *fixture) run(beside []string, changes ...func(*Options)) Result {
	f.t.Helper()
	r, err := f.download(changes...).Run(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	if got := f.read("t.dat"); !bytes.Equal(got, f.target) {
		f.t.Fatalf("wrong bytes: %d, want %d", len(got), len(f.target))
	}
	info, err := os.Stat(f.path("t.dat"))
	if err != nil || !info.ModTime().Equal(changed) {
		f.t.Errorf("%v changed at %v, want %v", err, info.ModTime(), changed)
	}
	if r.Local+r.Fetched != int64(len(f.target)) || r.Missing != 0 || r.Part != "" {
		f.t.Errorf("result %+v for %d bytes", r, len(f.target))
	}
	f.holds(append([]string{"t.dat"}, beside...)...)
	return r
}

// holds wants these files in the folder and no other.
func (f *fixture) holds(names ...string) {
	f.t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(names)
	if !slices.Equal(got, names) {
		f.t.Errorf("the folder holds %q, want %q", got, names)
	}
}

func (f *fixture) read(name string) []byte {
	f.t.Helper()
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

// warnings are what was warned of since the last call.
func (f *fixture) warnings() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := strings.Join(f.warned, "\n")
	f.warned = nil
	return text
}

// sent is the number of bytes that the server sent since the last call.
func (f *fixture) sent() int64 {
	f.srv.Wait()
	defer f.srv.ResetLog()
	return f.srv.Bytes("")
}

// edited is data with other bytes in blocks ids.
func edited(data []byte, ids ...int) []byte {
	out := bytes.Clone(data)
	for _, id := range ids {
		copy(out[id*blockSize:min((id+1)*blockSize, len(out))], noise(blockSize, byte(id+100)))
	}
	return out
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}
