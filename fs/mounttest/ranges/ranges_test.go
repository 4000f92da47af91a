package ranges

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/oldzsync"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

const blockSize = 2048

// site is a folder with a target and its control file, and a client for it.
type site struct {
	dir    string
	target []byte
	server *webserver.Server
	client *zsyncclient.Client
	ctl    *zsyncclient.Control
	seen   int // requests for the target so far
}

// requests are those for the target that were not asked for before. lighttpd
// writes its log every few seconds only, so each call may take that long.
func (s *site) requests(t *testing.T) webserver.Requests {
	all := s.server.Log(t).Data()
	fresh := all[s.seen:]
	s.seen = len(all)
	return fresh
}

func newSite(t *testing.T, kind webserver.Kind, o webserver.Options, size int) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), target: make([]byte, size)}
	_, _ = rand.NewChaCha8([32]byte{7}).Read(s.target)
	b, err := format.NewBuilder(format.BuilderOptions{BlockSize: blockSize, Filename: "t.dat", URLs: []string{"t.dat"}})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = b.Write(s.target)
	var control bytes.Buffer
	_, err = b.WriteTo(&control)
	// A web server may run as another user.
	for dir := s.dir; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		err = errors.Join(err, os.Chmod(dir, 0o755))
	}
	err = errors.Join(err, os.WriteFile(filepath.Join(s.dir, "t.dat"), s.target, 0o644),
		os.WriteFile(filepath.Join(s.dir, "t.dat.zsync"), control.Bytes(), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	o.Root = s.dir
	s.server = webserver.Start(t, kind, o)
	u, err := url.Parse(s.server.URL("/t.dat.zsync"))
	if err != nil {
		t.Fatal(err)
	}
	s.client, err = zsyncclient.New(zsyncclient.Options{Origins: []*url.URL{u}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.ctl, err = s.client.FetchWholeControl(t.Context(), u, zsyncclient.Validators{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fetch fetches runs and checks them; the requests are those for the target.
func (s *site) fetch(t *testing.T, runs []format.BlockRange) (webserver.Requests, error) {
	t.Helper()
	var mu sync.Mutex
	blocks := int64(0)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := s.client.NewSource(s.ctl, nil).FetchRuns(ctx, runs, zsyncclient.Foreground,
		func(_ context.Context, r format.BlockRange) ([]byte, error) {
			size := s.ctl.Header.RecordSize()
			return s.ctl.Records[int64(r.Start)*size : int64(r.End)*size], nil
		},
		func(first format.BlockID, p []byte) error {
			mu.Lock()
			defer mu.Unlock()
			blocks += int64(len(p)+blockSize-1) / blockSize
			if off := int64(first) * blockSize; !bytes.Equal(p, s.target[off:off+int64(len(p))]) {
				t.Errorf("wrong bytes at %d", off)
			}
			return nil
		})
	want := int64(0)
	for _, r := range runs {
		want += r.Count()
	}
	if err == nil && blocks != want {
		t.Errorf("%d blocks of %d", blocks, want)
	}
	return s.requests(t), err
}

// scattered is n runs of one to three blocks, with gaps.
func scattered(n int) []format.BlockRange {
	runs := make([]format.BlockRange, n)
	for i := range runs {
		at := format.BlockID(7*i + 2)
		runs[i] = format.BlockRange{Start: at, End: at + 1 + format.BlockID(i%3)}
	}
	return runs
}

func bytesOf(runs []format.BlockRange) int64 {
	n := int64(0)
	for _, r := range runs {
		n += r.Count() * blockSize
	}
	return n
}

// What a part has around it, in bytes: more than any of the servers sends.
const partFrame = 140

// What an answer has before its body, in bytes: less than any of the servers sends.
const replyHeader = 180

func TestScatteredRuns(t *testing.T) {
	for _, kind := range []webserver.Kind{webserver.Nginx, webserver.Apache, webserver.Lighttpd} {
		t.Run(string(kind), func(t *testing.T) {
			if err := webserver.Available(kind); err != nil {
				t.Skip(err)
			}
			s := newSite(t, kind, webserver.Options{}, 4<<20)
			most := map[int]int{1: 1, 5: 1, 20: 1, 45: 3, 290: 3}
			if kind == webserver.Lighttpd {
				most = map[int]int{145: 15}
			}
			for n, want := range most {
				runs := scattered(n)
				requests, err := s.fetch(t, runs)
				if err != nil {
					t.Fatal(err)
				}
				if len(requests) > want {
					t.Errorf("%d runs took %d requests, %d wanted:\n%v", n, len(requests), want, requests)
				}
				if got, most := requests.Bytes(), bytesOf(runs)+int64(n+len(requests))*partFrame; got > most {
					t.Errorf("%d runs took %d bytes, %d at most", n, got, most)
				}
			}
			all := []format.BlockRange{{Start: 0, End: format.BlockID(len(s.target) / blockSize)}}
			requests, err := s.fetch(t, all)
			if err != nil || len(requests) != 1 || requests[0].Status != 200 {
				t.Errorf("all blocks: %v\n%v", err, requests)
			}
		})
	}
}

func TestNoRanges(t *testing.T) {
	if err := webserver.Available(webserver.Nginx); err != nil {
		t.Skip(err)
	}
	s := newSite(t, webserver.Nginx, webserver.Options{NoRanges: true}, 4<<20)
	requests, err := s.fetch(t, scattered(100))
	if !errors.Is(err, zsyncclient.ErrNoRanges) || len(requests) > 3 {
		t.Errorf("%v\n%v", err, requests)
	}
}

// TestNoMoreThanZsync lets zsync 0.6 complete a seed and fetches the same blocks.
func TestNoMoreThanZsync(t *testing.T) {
	zsync, err := oldzsync.Find("zsync", "0.6")
	if err != nil {
		t.Skip(err)
	}
	for _, kind := range []webserver.Kind{webserver.Nginx, webserver.Apache} {
		t.Run(string(kind), func(t *testing.T) {
			if err := webserver.Available(kind); err != nil {
				t.Skip(err)
			}
			s := newSite(t, kind, webserver.Options{}, 4<<20)
			for _, n := range []int{1, 7, 20, 21, 100, 250} {
				runs := scattered(n)
				seed := bytes.Clone(s.target)
				for _, r := range runs {
					clear(seed[r.Start*blockSize : r.End*blockSize])
				}
				work := t.TempDir()
				if err := os.WriteFile(filepath.Join(work, "seed"), seed, 0o644); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), zsync, "-q", "-i", "seed", s.server.URL("/t.dat.zsync"))
				cmd.Dir = work
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("zsync: %v\n%s", err, out)
				}
				theirs := s.requests(t)
				ours, err := s.fetch(t, runs)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d runs: %d requests, %d bytes; zsync: %d requests, %d bytes", n, len(ours), ours.Bytes(), len(theirs), theirs.Bytes())
				sum := func(r webserver.Requests) int64 { return r.Bytes() + int64(len(r))*replyHeader }
				if len(ours) > len(theirs) || sum(ours) > sum(theirs) {
					t.Errorf("more than zsync takes:\n%v\n%v", ours, theirs)
				}
			}
		})
	}
}
