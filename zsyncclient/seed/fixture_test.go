package seed

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// target is a target with its header and records.
type target struct {
	header  *format.Header
	records []byte
	data    []byte
}

// newTarget makes records of data.
func newTarget(data []byte, blockSize int, strong checksum.Strong, l format.Lengths) target {
	h := &format.Header{
		BlockSize: int64(blockSize), Length: int64(len(data)), Strong: strong,
		SeqMatches: l.SeqMatches, RsumLength: l.Rsum, StrongLength: l.Strong,
	}
	rsums := checksum.RsumBlocks(nil, data, blockSize)
	digests := strong.SumBlocks(nil, data, blockSize)
	var records []byte
	for i := range len(rsums) / 4 {
		records = append(records, rsums[4*i+4-l.Rsum:4*i+4]...)
		records = append(records, digests[i*strong.Size():i*strong.Size()+l.Strong]...)
	}
	return target{header: h, records: records, data: data}
}

// index is the index of t.
func (t target) index(tb testing.TB) *Index {
	tb.Helper()
	x, err := NewIndex(t.header, t.records)
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

// sink takes what is delivered, and checks it against the records.
type sink struct {
	t       target
	seed    []byte // what places are checked against; nil: they are not
	mu      sync.Mutex
	blocks  map[format.BlockID]bool // guarded by mu
	faults  []string                // guarded by mu
	content []byte                  // guarded by mu; of the target
	bytes   int64                   // guarded by mu
	first   int64                   // guarded by mu; the place that came first, nowhere before that
}

func newSink(t target, seed []byte) *sink {
	return &sink{t: t, seed: seed, first: nowhere, blocks: map[format.BlockID]bool{}, content: make([]byte, t.header.Length)}
}

func (s *sink) deliver(first format.BlockID, data []byte, at int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.t.header.Geometry()
	count := (int64(len(data)) + g.BlockSize - 1) / g.BlockSize
	r := format.BlockRange{Start: first, End: first + format.BlockID(count)}
	if g.Bytes(r).Length() != int64(len(data)) || count == 0 {
		s.faults = append(s.faults, fmt.Sprintf("%d bytes for %s", len(data), r))
		return nil
	}
	records := s.t.records[int64(first)*s.t.header.RecordSize():]
	if n := s.t.header.VerifyBlocks(first, data, records); int64(n) != count {
		s.faults = append(s.faults, fmt.Sprintf("%s: %d are right", r, n))
	}
	for id := r.Start; id < r.End; id++ {
		if s.blocks[id] {
			s.faults = append(s.faults, fmt.Sprintf("block %d twice", id))
		}
		s.blocks[id] = true
	}
	if !s.isAt(data, at) {
		s.faults = append(s.faults, fmt.Sprintf("%s is not what lies at %d", r, at))
	}
	if s.first == nowhere {
		s.first = at
	}
	s.bytes += int64(len(data))
	copy(s.content[g.Offset(first):], data)
	return nil
}

// isAt says whether data lies at offset at of the seed, which zeros follow. Without a
// place it has to be zeros.
func (s *sink) isAt(data []byte, at int64) bool {
	switch {
	case s.seed == nil:
		return true
	case at == nowhere:
		return bytes.Equal(data, make([]byte, len(data)))
	case at < 0 || at >= int64(len(s.seed)):
		return false
	}
	part := s.seed[at:min(at+int64(len(data)), int64(len(s.seed)))]
	return bytes.Equal(data[:len(part)], part) && bytes.Equal(data[len(part):], make([]byte, len(data)-len(part)))
}

// check fails when something wrong was delivered.
func (s *sink) check(tb interface{ Fatalf(string, ...any) }, stats Stats, missing *Missing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) > 0 {
		tb.Fatalf("%v", s.faults)
	}
	if stats.Found != s.bytes {
		tb.Fatalf("found %d bytes, delivered %d", stats.Found, s.bytes)
	}
	for id := range s.blocks {
		if missing.Has(id) {
			tb.Fatalf("block %d was delivered and is missing", id)
		}
	}
}

// scanBytes scans seed for all of t's blocks in missing.
func scanBytes(tb testing.TB, t target, missing *Missing, seed []byte, o Options) (*sink, Stats) {
	tb.Helper()
	out := newSink(t, seed)
	stats, err := t.index(tb).Scan(context.Background(), bytes.NewReader(seed), int64(len(seed)), missing, out.deliver, o)
	if err != nil {
		tb.Fatal(err)
	}
	out.check(tb, stats, missing)
	return out, stats
}

// scanOnce is scanBytes without the second pass.
func scanOnce(tb testing.TB, t target, missing *Missing, seed []byte, o Options) *sink {
	tb.Helper()
	ctx, out := context.Background(), newSink(t, seed)
	size := int64(len(seed))
	s := t.index(tb).newScan(size, missing, out.deliver, o)
	if s.begin(ctx) {
		s.pass(ctx, bytes.NewReader(seed), size, span{0, size}.cut(s.slice, nil), false)
	}
	stats, err := s.result(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	out.check(tb, stats, missing)
	return out
}

// naive is every block that a seed has, by the rule alone: no run, no filter, no
// jumps. Blocks of known are not looked for: must is what pairs have of which one
// block is not known, may also what is repeated elsewhere of other pairs.
func naive(t target, seed []byte, known map[format.BlockID]bool, seq int) (must, may map[format.BlockID]bool) {
	at, count := recordsAt(t.header, seed), int(t.header.Geometry().BlockCount())
	block := int(t.header.BlockSize)
	places := t.places()
	must, may = map[format.BlockID]bool{}, map[format.BlockID]bool{}
	take := func(r string, isSure bool) {
		for _, id := range places[r] {
			if known[format.BlockID(id)] {
				continue
			}
			may[format.BlockID(id)] = true
			if isSure {
				must[format.BlockID(id)] = true
			}
		}
	}
	take(sumsOfZeros(t.header), true)
	for off := range len(seed) {
		a := at(off)
		for _, id := range places[a] {
			if seq == 1 {
				take(a, true)
				break
			}
			if id+1 < count && at(off+block) == t.record(id+1) {
				isSure := !known[format.BlockID(id)] || !known[format.BlockID(id+1)]
				take(a, isSure)
				take(t.record(id+1), isSure)
			}
		}
	}
	return must, may
}

// naiveRuns is every block that lies in a row of at least least blocks of the target
// somewhere in the seed, and those of zeros, without known.
func naiveRuns(t target, seed []byte, known map[format.BlockID]bool, least int) map[format.BlockID]bool {
	at, count := recordsAt(t.header, seed), int(t.header.Geometry().BlockCount())
	places := t.places()
	found := map[format.BlockID]bool{}
	for _, id := range places[sumsOfZeros(t.header)] {
		found[format.BlockID(id)] = true
	}
	for off := range len(seed) {
		for _, id := range places[at(off)] {
			n := 1
			for n < least && id+n < count && at(off+n*int(t.header.BlockSize)) == t.record(id+n) {
				n++
			}
			for i := 0; n == least && i < n; i++ {
				found[format.BlockID(id+i)] = true
			}
		}
	}
	for id := range known {
		delete(found, id)
	}
	return found
}

// recordsAt says which record the block at an offset of the seed has; zeros are
// behind the seed.
func recordsAt(h *format.Header, seed []byte) func(off int) string {
	block := int(h.BlockSize)
	padded := append(bytes.Clone(seed), make([]byte, (MaxLeastRun+2)*block)...)
	records := map[int]string{}
	return func(off int) string {
		r, ok := records[off]
		if !ok {
			data := padded[off : off+block]
			var full [4]byte
			binary.BigEndian.PutUint32(full[:], checksum.RsumBlock(data, block).Uint32())
			r = string(full[4-h.RsumLength:]) + string(h.Strong.SumBlocks(nil, data, block)[:h.StrongLength])
			records[off] = r
		}
		return r
	}
}

// record is the record of block id.
func (t target) record(id int) string {
	size := int(t.header.RecordSize())
	return string(t.records[id*size : (id+1)*size])
}

// places are the blocks that have a record.
func (t target) places() map[string][]int {
	out := map[string][]int{}
	for id := range int(t.header.Geometry().BlockCount()) {
		out[t.record(id)] = append(out[t.record(id)], id)
	}
	return out
}

// sumsOfZeros is the record of a block of zeros.
func sumsOfZeros(h *format.Header) string {
	digest := h.Strong.SumBlocks(nil, []byte{0}, int(h.BlockSize))
	return string(make([]byte, h.RsumLength)) + string(digest[:h.StrongLength])
}

// benchLengths are those that make one block a match, and those of a large file of
// zsyncmake 0.6.2.
var benchLengths = []format.Lengths{{SeqMatches: 1, Rsum: 4, Strong: 16}, {SeqMatches: 2, Rsum: 3, Strong: 5}}

// randomBytes are n bytes that nothing else has.
func randomBytes(seed byte, n int) []byte {
	out := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(out)
	return out
}

// randomRecords is a target of which only the records are there: they match nothing.
func randomRecords(length int64, blockSize int, l format.Lengths) target {
	h := &format.Header{BlockSize: int64(blockSize), Length: length,
		SeqMatches: l.SeqMatches, RsumLength: l.Rsum, StrongLength: l.Strong}
	return target{header: h, records: randomBytes(9, int(h.Geometry().BlockCount()*h.RecordSize()))}
}
