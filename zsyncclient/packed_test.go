package zsyncclient

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// words is n bytes that compress well.
func words(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "block %d of the target; ", r.IntN(100000))
		if r.IntN(50) == 0 {
			b.Write(randomBytes(r.IntN(5000)))
		}
	}
	return b.Bytes()[:n]
}

// gzipStream is data as a gzip file. Each interval bytes the compressor is
// flushed, and with forget begins anew.
func gzipStream(data []byte, level, interval int, forget bool) []byte {
	out := bytes.NewBuffer([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3})
	w, _ := flate.NewWriter(out, level)
	for at := 0; at < len(data); at += interval {
		_, _ = w.Write(data[at:min(at+interval, len(data))])
		_ = w.Flush()
		if forget {
			w.Reset(out)
		}
	}
	_ = w.Close()
	out.Write(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)))
	out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
	return out.Bytes()
}

// packedFixture has a target as a gzip copy with a map, and what came of it.
type packedFixture struct {
	*fixture
	packed []byte
	mu     sync.Mutex
	here   []bool // by block
	got    []byte
}

func newPackedFixture(t *testing.T, data, packed []byte, client func(*Options)) *packedFixture {
	t.Helper()
	f := &packedFixture{fixture: newFixture(t, fixtureOptions{length: 1, client: client}), packed: packed}
	f.target = data
	f.control, f.header = controlFor(t, data, 2048)
	r := bufio.NewReader(bytes.NewReader(packed))
	h, err := format.ReadGzipHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	raw, _, err := format.MapGzip(h, r, 2048, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	f.header.ZMap, f.header.ZURLs = raw, []string{"t.dat.gz"}
	f.srv.Remove("/d/t.dat")
	f.srv.Put("/d/t.dat.gz", packed)
	f.here = make([]bool, f.header.Geometry().BlockCount())
	f.got = make([]byte, len(data))
	return f
}

func (f *packedFixture) source() *Source {
	s := f.fixture.source()
	s.SetLocal(f)
	return s
}

func (f *packedFixture) Has(r format.Range) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.header.Geometry().Covering(r)
	for id := b.Start; id < b.End; id++ {
		if !f.here[id] {
			return false
		}
	}
	return true
}

func (f *packedFixture) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return copy(p, f.got[off:]), nil
}

func (f *packedFixture) deliver(first format.BlockID, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	geo := f.header.Geometry()
	off := geo.Offset(first)
	if !bytes.Equal(data, f.target[off:off+int64(len(data))]) {
		f.t.Errorf("wrong bytes at block %d", first)
	}
	copy(f.got[off:], data)
	b := geo.Covering(format.Range{Start: off, End: off + int64(len(data))})
	for id := b.Start; id < b.End; id++ {
		f.here[id] = true
	}
	return nil
}

// have puts all blocks but those of runs here.
func (f *packedFixture) have(runs []format.BlockRange) {
	copy(f.got, f.target)
	for i := range f.here {
		f.here[i] = true
	}
	for _, r := range runs {
		for id := r.Start; id < r.End; id++ {
			f.here[id] = false
			clear(f.got[f.header.Geometry().Offset(id):f.header.Geometry().Bytes(format.BlockRange{Start: id, End: id + 1}).End])
		}
	}
}

func (f *packedFixture) missing() (n int) {
	for _, here := range f.here {
		if !here {
			n++
		}
	}
	return n
}

// scattered are runs all over a target of that many blocks.
func scattered(blocks int64) (runs []format.BlockRange) {
	r := rand.New(rand.NewPCG(3, 3))
	for at := int64(0); at < blocks; {
		n := 1 + r.Int64N(3)
		runs = append(runs, format.BlockRange{Start: format.BlockID(at), End: format.BlockID(min(at+n, blocks))})
		at += n + 1 + r.Int64N(60)
	}
	return runs
}

// Missing blocks come of a copy made by any compressor, with single ranges and with
// several, and cost fewer bytes than they have.
func TestPackedRuns(t *testing.T) {
	data := words(1_500_000, 1)
	for name, packed := range map[string][]byte{
		"level 9":            gzipStream(data, 9, len(data), false),
		"level 1":            gzipStream(data, 1, len(data), false),
		"codes only":         gzipStream(data, -2, len(data), false),
		"stored":             gzipStream(data, 0, len(data), false),
		"a block for each":   gzipStream(data, 6, 2048, false),
		"flushed":            gzipStream(data, 6, 128<<10, false),
		"flushed, forgetful": gzipStream(data, 6, 128<<10, true),
	} {
		for _, single := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/single=%v", name, single), func(t *testing.T) {
				f := newPackedFixture(t, data, packed, nil)
				runs := scattered(int64(len(f.here)))
				f.have(runs)
				s := f.source()
				if single {
					s.c.host(mustURL(f.srv.URL("/"))).limitRanges(1)
				}
				want := int64(f.missing()) * 2048
				if err := s.FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver); err != nil {
					t.Fatal(err)
				}
				if n := f.missing(); n > 0 || !bytes.Equal(f.got, data) {
					t.Errorf("%d blocks are missing still", n)
				}
				sent := s.c.Stats().BytesReceived
				t.Logf("%d bytes of blocks, %d received", want, sent)
				if !single && sent > want*5/4 { // data that do not shrink cost the frames of parts
					t.Errorf("%d bytes were received for %d", sent, want)
				}
			})
		}
	}
}

// Reads anywhere of a target of which nothing is here.
func TestPackedAnywhere(t *testing.T) {
	data := words(3_000_000, 2)
	for _, forget := range []bool{false, true} {
		f := newPackedFixture(t, data, gzipStream(data, 6, 128<<10, forget), nil)
		s := f.source()
		r := rand.New(rand.NewPCG(5, 5))
		var work sync.WaitGroup
		for range 40 {
			first := format.BlockID(r.Int64N(int64(len(f.here))))
			run := format.BlockRange{Start: first, End: min(first+5, format.BlockID(len(f.here)))}
			work.Go(func() {
				if err := s.Fetch(shortly(t, 20*time.Second), run, Foreground, f.records, f.deliver); err != nil {
					t.Error(err)
				}
				if !f.Has(f.header.Geometry().Bytes(run)) {
					t.Errorf("%v did not come", run)
				}
			})
		}
		work.Wait()
	}
}

// The whole target is taken in one request.
func TestPackedWhole(t *testing.T) {
	data := words(2_000_000, 3)
	f := newPackedFixture(t, data, gzipStream(data, 6, len(data), false), nil)
	all := []format.BlockRange{f.header.Geometry().All()}
	if err := f.source().FetchRuns(shortly(t, 20*time.Second), all, Foreground, f.records, f.deliver); err != nil {
		t.Fatal(err)
	}
	if n := f.srv.Count("/d/t.dat.gz"); n != 1 || f.missing() > 0 {
		t.Errorf("%d requests, %d blocks missing", n, f.missing())
	}
}

// A connection that breaks, a server that calls gzip an encoding, and one without ranges.
func TestPackedFaults(t *testing.T) {
	data := words(1_000_000, 4)
	packed := gzipStream(data, 6, 2048, false)
	for name, rule := range map[string]rangetest.Rule{
		"broken":    {Fault: rangetest.ShortBody, After: 5000, Times: 2},
		"reset":     {Fault: rangetest.Reset, After: 5000, Times: 2},
		"503":       {Fault: rangetest.Status, Status: 503, Times: 1},
		"encoded":   {Header: http.Header{"Content-Encoding": {"x-gzip"}}},
		"no ranges": {Fault: rangetest.IgnoreRange},
	} {
		t.Run(name, func(t *testing.T) {
			f := newPackedFixture(t, data, packed, func(o *Options) { o.StallTimeout = time.Second })
			runs := scattered(int64(len(f.here)))
			f.have(runs)
			rule.Path = "/d/t.dat.gz"
			f.srv.Add(rule)
			err := f.source().FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver)
			if name == "no ranges" {
				if !errors.Is(err, ErrNoRanges) {
					t.Fatalf("error %v", err)
				}
				err = f.source().FetchAll(shortly(t, 20*time.Second), f.records, f.deliver)
			}
			if err != nil || f.missing() > 0 {
				t.Fatalf("%v; %d blocks are missing", err, f.missing())
			}
		})
	}
}

// A copy that was compressed anew is read as a whole.
func TestPackedAnew(t *testing.T) {
	data := words(1_000_000, 7)
	f := newPackedFixture(t, data, gzipStream(data, 6, len(data), false), nil)
	f.srv.Put("/d/t.dat.gz", gzipStream(data, 9, 50_000, false))
	runs := scattered(int64(len(f.here)))
	f.have(runs)
	s := f.source()
	if err := s.FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver); !errors.Is(err, ErrNoRanges) {
		t.Fatalf("error %v", err)
	}
	if err := s.FetchAll(shortly(t, 20*time.Second), f.records, f.deliver); err != nil || f.missing() > 0 {
		t.Fatalf("%v; %d blocks are missing", err, f.missing())
	}
}

// A copy that is not what the map tells of is left, and the plain target taken.
func TestPackedWrong(t *testing.T) {
	data := words(1_000_000, 5)
	packed := gzipStream(data, 6, len(data), false)
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 60 {
		f := newPackedFixture(t, data, packed, nil)
		bad := bytes.Clone(packed)
		switch i % 3 {
		case 0: // another file
			r := rand.NewChaCha8([32]byte{byte(i)})
			_, _ = r.Read(bad[10:])
		case 1: // cut
			bad = bad[:len(bad)/2]
		case 2: // damaged in places
			for range 100 {
				bad[10+r.IntN(len(bad)-10)] ^= byte(1 << r.IntN(8))
			}
		}
		f.srv.Put("/d/t.dat.gz", bad)
		f.srv.Put("/d/t.dat", data)
		runs := scattered(int64(len(f.here)))
		if i%2 == 0 {
			f.have(runs)
		}
		if err := f.source().FetchRuns(shortly(t, 20*time.Second), runs, Foreground, f.records, f.deliver); err != nil {
			t.Fatal(err)
		}
		for _, run := range runs {
			if !f.Has(f.header.Geometry().Bytes(run)) {
				t.Errorf("%v did not come", run)
			}
		}
	}
}

// FuzzPacked decodes any stream by any map, in bounded memory: it ends, and what is
// delivered is right.
func FuzzPacked(f *testing.F) {
	data := words(40_000, 6)
	good := newPackedFixture(&testing.T{}, data, gzipStream(data, 6, 9000, true), nil)
	f.Add(good.packed, good.header.ZMap)
	f.Fuzz(func(t *testing.T, packed, zmap []byte) {
		if len(zmap) == 0 || len(packed) == 0 {
			return
		}
		x := &packedFixture{fixture: good.fixture}
		x.fixture.t = t
		x.here, x.got = make([]bool, len(good.here)), make([]byte, len(data))
		h := *good.header
		h.ZMap = zmap
		x.header = &h
		x.srv.Put("/d/t.dat.gz", packed)
		x.c = newClient(t, Options{Origins: []*url.URL{x.url}}) // to which the host has not failed yet
		s := x.source()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := s.FetchRuns(ctx, []format.BlockRange{{Start: 3, End: 5}, {Start: 9, End: 10}}, Foreground, x.records, x.deliver)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it did not end: %v", err)
		}
	})
}
