package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

const rootURL = "http://h/pub/"

// controlFile is a whole control file of a target of length bytes.
func controlFile(name string, length int) []byte {
	blocks := (length + 2047) / 2048
	head := fmt.Sprintf("zsync: 0.6.2\nFilename: %s\nBlocksize: 2048\nLength: %d\nHash-Lengths: 1,2,4\nURL: %s\nSHA-1: %040d\n\n", name, length, name, 7)
	return append([]byte(head), bytes.Repeat([]byte("record"), blocks)...)
}

// server is a remote archive that answers without a network.
type server struct {
	mu      sync.Mutex
	docs    map[string][]byte // control files by URL; guarded by mu
	dirs    map[string]bool   // listings by URL that exist; guarded by mu
	fault   error             // given in place of every answer; guarded by mu
	lists   int               // guarded by mu
	fetches []fetch           // guarded by mu
	current int               // fetches under way; guarded by mu
	most    int               // the most there ever were; guarded by mu
	gate    chan struct{}     // each answer takes one value, when not nil; guarded by mu
	arrived chan string       // gets each request's URL, when not nil; guarded by mu
}

type fetch struct {
	url    string
	prefix int64
	again  bool // with validators
}

func newServer(names ...string) *server {
	s := &server{docs: map[string][]byte{}, dirs: map[string]bool{rootURL: true}}
	for _, n := range names {
		s.put(n, 10_000)
	}
	return s
}

func (s *server) put(path string, length int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := rootURL + path + ".zsync"
	s.docs[u] = controlFile(path[strings.LastIndexByte(path, '/')+1:], length)
	for i := strings.LastIndexByte(u, '/'); i > len(rootURL); i = strings.LastIndexByte(u[:i], '/') {
		s.dirs[u[:i+1]] = true
	}
}

func (s *server) remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.docs, rootURL+path+".zsync")
}

func (s *server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
}

func (s *server) hold() (gate chan struct{}, arrived chan string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate, s.arrived = make(chan struct{}), make(chan string, 10_000)
	return s.gate, s.arrived
}

func (s *server) counts() (lists int, fetches []fetch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists, slices.Clone(s.fetches)
}

// pass waits at the gate and gives the fault.
func (s *server) pass(ctx context.Context, u string) error {
	s.mu.Lock()
	gate, arrived := s.gate, s.arrived
	s.current++
	s.most = max(s.most, s.current)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.current--
	}()
	if arrived != nil {
		arrived <- u
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

func (s *server) List(ctx context.Context, u *url.URL, prev zsyncclient.Validators) (*listing.Listing, zsyncclient.Validators, error) {
	s.mu.Lock()
	s.lists++
	s.mu.Unlock()
	if err := s.pass(ctx, u.String()); err != nil {
		return nil, zsyncclient.Validators{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirs[u.String()] {
		return nil, zsyncclient.Validators{}, &zsyncclient.StatusError{URL: u.String(), Code: 404}
	}
	l := &listing.Listing{}
	for _, doc := range slices.Sorted(maps.Keys(s.docs)) {
		if rest, ok := strings.CutPrefix(doc, u.String()); ok && !strings.Contains(rest, "/") {
			l.Files = append(l.Files, listing.Entry{Name: rest, URL: doc})
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(s.dirs)) {
		if rest, ok := strings.CutPrefix(dir, u.String()); ok && rest != "" && strings.Index(rest, "/") == len(rest)-1 {
			l.Dirs = append(l.Dirs, listing.Entry{Name: strings.TrimSuffix(rest, "/"), URL: dir})
		}
	}
	return l, zsyncclient.Validators{Length: -1}, nil
}

// DocumentKey implements fetcher.
func (s *server) DocumentKey(u *url.URL) string { return u.String() }

func (s *server) FetchControl(ctx context.Context, u *url.URL, prev zsyncclient.Validators, prefix int64) (*zsyncclient.Control, error) {
	s.mu.Lock()
	s.fetches = append(s.fetches, fetch{u.String(), prefix, prev != zsyncclient.Validators{}})
	s.mu.Unlock()
	if err := s.pass(ctx, u.String()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	doc, ok := s.docs[u.String()]
	s.mu.Unlock()
	if !ok {
		return nil, &zsyncclient.StatusError{URL: u.String(), Code: 404}
	}
	v := zsyncclient.Validators{ETag: fmt.Sprintf(`"%d"`, len(doc)), Length: int64(len(doc))}
	if prev == v {
		return nil, zsyncclient.ErrNotModified
	}
	h, err := format.ReadHeader(bufio.NewReader(bytes.NewReader(doc)))
	if err != nil {
		return nil, err
	}
	return &zsyncclient.Control{URL: u, Final: u, Header: h, Raw: doc[:h.Size],
		Records: doc[h.Size:min(int64(len(doc)), max(prefix, h.Size))], Validators: v}, nil
}

// memory is a Meta.
type memory struct {
	mu sync.Mutex
	m  map[string][]byte
}

func newMemory() *memory { return &memory{m: map[string][]byte{}} }

func (m *memory) MetaGet(key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.m[key]; ok {
		return v, nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) MetaPut(key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(value) > 1<<20 {
		return errors.New("value too large")
	}
	m.m[key] = bytes.Clone(value)
	return nil
}

func (m *memory) MetaDelete(key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.m, key)
	return nil
}

// clock is a clock that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is an archive with all that it depends on.
type world struct {
	t       *testing.T
	s       *server
	meta    *memory
	clock   *clock
	a       *Archive
	changes chan change

	mu    sync.Mutex
	warns []string // guarded by mu
}

func (w *world) options() Options {
	return Options{
		client: w.s, Meta: w.meta, Now: w.clock.Now, StaleWait: time.Minute,
		Warn: func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.warns = append(w.warns, err.Error())
		},
		Changed: func(dir, name string) { w.changes <- change{dir, name} },
	}
}

func newWorld(t *testing.T, names ...string) *world {
	w := &world{t: t, s: newServer(names...), meta: newMemory(), clock: newClock(), changes: make(chan change, 10_000)}
	w.start()
	return w
}

func (w *world) start() {
	u, err := url.Parse(strings.TrimSuffix(rootURL, "/"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.a = NewDirectory(u, w.options())
	w.t.Cleanup(w.a.Close)
}

func (w *world) names(d *Dir) string {
	w.t.Helper()
	entries, err := d.Entries(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.Dir != nil {
			e.Name += "/"
		}
		out = append(out, e.Name)
	}
	return strings.Join(out, " ")
}

func (w *world) expect(d *Dir, want string) {
	w.t.Helper()
	if got := w.names(d); got != want {
		w.t.Errorf("entries %q, want %q", got, want)
	}
}

func (w *world) file(name string) *File {
	w.t.Helper()
	e, err := w.a.Root().Lookup(w.t.Context(), name)
	if err != nil || e.File == nil {
		w.t.Fatalf("look up %s: %+v, %v", name, e, err)
	}
	return e.File
}

func (w *world) length(f *File) int64 {
	w.t.Helper()
	c, err := f.Control(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Header.Length
}

func (w *world) changed(want ...change) {
	w.t.Helper()
	for _, c := range want {
		if got := <-w.changes; got != c {
			w.t.Errorf("Changed(%q, %q), want %q", got.dir, got.name, c)
		}
	}
	select {
	case got := <-w.changes:
		w.t.Errorf("Changed(%q, %q) besides", got.dir, got.name)
	default:
	}
}

func (w *world) warned() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.warns)
}
