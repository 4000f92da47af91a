package reuse

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/seed"
)

const testBlock = 512

// stored is the version of data in a store, all of it here.
func stored(t *testing.T, s *blockstore.Store, name string, data []byte) *relative {
	t.Helper()
	h, control := controlOf(t, data)
	v, err := s.OpenVersion(control[:h.Size], h, blockstore.Place("http://example.org/"+name+".zsync"))
	if err == nil {
		err = v.PutControl(control, 0)
	}
	if err == nil {
		err = v.Put(0, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return &relative{version: v, name: name, alike: true}
}

func controlOf(t *testing.T, data []byte) (*format.Header, []byte) {
	t.Helper()
	b, err := format.NewBuilder(format.BuilderOptions{BlockSize: testBlock, Filename: "t", URLs: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(data)
	var out bytes.Buffer
	if _, err := b.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	h, err := format.ReadHeader(bufio.NewReader(bytes.NewReader(out.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	return h, out.Bytes()
}

// scanned is what is missing of data after scans of relatives, and how many bytes
// these looked at.
func scanned(t *testing.T, s *blockstore.Store, data []byte, relatives ...*relative) (missing *seed.Missing, looked int64) {
	t.Helper()
	h, control := controlOf(t, data)
	u, _ := url.Parse("http://example.org/t.zsync")
	f := New(Options{
		Store: s, Control: &zsyncclient.Control{URL: u, Header: h, Raw: control[:h.Size]}, Records: control[h.Size:],
		Missing: seed.NewMissing(h.Geometry().BlockCount()), Workers: 1,
		Begin: func(_ string, total int64) { looked += total },
	})
	for _, r := range relatives {
		r.looked = nil
	}
	if err := f.scanRelatives(context.Background(), relatives); err != nil {
		t.Fatal(err)
	}
	return f.o.Missing, looked
}

// TestLooked: what one of some versions has is found, wherever it lies in them, and
// what they have in common is looked at once.
func TestLooked(t *testing.T) {
	for round := range 20 {
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		noise := func(n int) []byte {
			p := make([]byte, n)
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
			return p
		}
		s, err := blockstore.Open(t.TempDir(), blockstore.Options{CheckpointInterval: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		base := noise(400*testBlock + rng.IntN(testBlock))
		var relatives []*relative
		var goal []byte
		for i := range 4 {
			for range 3 {
				at, n := rng.IntN(len(base)-5*testBlock), 1+rng.IntN(4*testBlock)
				copy(base[at:], noise(n))
				// What lies around the change, and some of it alone, at odd places.
				from, to := max(at-rng.IntN(30*testBlock), 0), min(at+n+rng.IntN(30*testBlock), len(base))
				goal = append(append(goal, base[from:to]...), noise(rng.IntN(3*testBlock))...)
			}
			relatives = append(relatives, stored(t, s, fmt.Sprint("v", i), base))
		}
		missing, looked := scanned(t, s, goal, relatives...)
		for _, r := range relatives {
			alone, _ := scanned(t, s, goal, r)
			for id := format.BlockID(0); int(id) < len(goal)/testBlock; id++ {
				if missing.Has(id) && !alone.Has(id) {
					t.Fatalf("round %d: block %d was found in %s alone only", round, id, r.name)
				}
			}
		}
		if looked > 2*int64(len(base)) {
			t.Errorf("round %d: %d bytes of 4 times %d were looked at", round, looked, len(base))
		}
		for _, r := range relatives {
			r.version.Close()
		}
		s.Close()
	}
}

func TestSubtract(t *testing.T) {
	r := func(a, b int) format.BlockRange {
		return format.BlockRange{Start: format.BlockID(a), End: format.BlockID(b)}
	}
	list := func(rng *rand.Rand) (out []format.BlockRange) {
		for at := rng.IntN(5); at < 40; at += 1 + rng.IntN(6) {
			end := at + 1 + rng.IntN(6)
			out, at = append(out, r(at, end)), end
		}
		return out
	}
	has := func(l []format.BlockRange, b format.BlockID) (n int) {
		for _, x := range l {
			if x.Start <= b && b < x.End {
				n++
			}
		}
		return n
	}
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 2))
		a, b, c := list(rng), list(rng), list(rng)
		both, rest := intersect(a, b), subtract(a, slices.Concat(b, c))
		for id := format.BlockID(0); id < 60; id++ {
			if has(both, id) != has(a, id)*has(b, id) {
				t.Fatalf("%v and %v: %v", a, b, both)
			}
			if want := has(a, id) == 1 && has(b, id) == 0 && has(c, id) == 0; (has(rest, id) == 1) != want || has(rest, id) > 1 {
				t.Fatalf("%v without %v and %v: %v", a, b, c, rest)
			}
		}
	}
}
