package blockstore

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// bitPage is how many bits a page of a bitset has, but for the last one: as many as
// one of the file "known", so that either is made of the other at once.
const bitPage = pageBlocks

// bitset is a fixed number of bits, which are kept in pages. A page all of whose
// bits are the same takes no memory but its entry of 32 bytes, so a set costs what
// differs in it: one of 13 million bits, none set, is made in some microseconds. Not
// safe for concurrent use; bounds are the caller's.
type bitset struct {
	pages []bitWords
	size  int64 // how many bits there are
	ones  int64 // how many of them are set
}

// bitWords are the bits of a page.
type bitWords struct {
	words []uint64 // nil: none is set; allSet, which is never written to: all are
	ones  int64
}

var allSet = slices.Repeat([]uint64{^uint64(0)}, bitPage/64)

func newBitset(n int64) *bitset {
	return &bitset{pages: make([]bitWords, (n+bitPage-1)/bitPage), size: n}
}

func (s *bitset) clone() *bitset {
	out := &bitset{pages: slices.Clone(s.pages), size: s.size, ones: s.ones}
	for i := range out.pages {
		if p := &out.pages[i]; p.ones < bitPage {
			p.words = slices.Clone(p.words)
		}
	}
	return out
}

func (s *bitset) has(i int64) bool {
	page := i / bitPage
	words := s.pages[page].words
	i -= page * bitPage
	return words != nil && words[i>>6]&(1<<(i&63)) != 0
}

// eachWord calls f for every word that [start, end) touches, with the mask of
// the bits of it that lie in the range.
func eachWord(start, end int64, f func(word int64, mask uint64)) {
	for i := start; i < end; {
		next := min((i|63)+1, end)
		f(i>>6, ^uint64(0)>>(64-(next-i))<<(i&63))
		i = next
	}
}

// set sets [start, end) and returns how many of them were not set.
func (s *bitset) set(start, end int64) (n int64) {
	for start < end {
		page := start / bitPage
		first := page * bitPage
		stop := min(first+bitPage, end)
		n += s.setIn(page, start-first, stop-first)
		start = stop
	}
	s.ones += n
	return n
}

// setIn sets [start, end) of a page.
func (s *bitset) setIn(page, start, end int64) (n int64) {
	p := &s.pages[page]
	if p.ones == bitPage {
		return 0
	}
	if end-start == bitPage {
		n = bitPage - p.ones
		*p = bitWords{allSet, bitPage}
		return n
	}
	s.own(page)
	eachWord(start, end, func(w int64, mask uint64) {
		n += int64(bits.OnesCount64(mask &^ p.words[w]))
		p.words[w] |= mask
	})
	if p.ones += n; p.ones == bitPage {
		p.words = allSet
	}
	return n
}

// own gives a page words of its own, to be written to.
func (s *bitset) own(page int64) {
	switch p := &s.pages[page]; {
	case p.words == nil:
		p.words = make([]uint64, (min(s.size-page*bitPage, bitPage)+63)/64)
	case p.ones == bitPage:
		p.words = slices.Clone(p.words)
	}
}

// clear clears [start, end) and returns how many of them were set.
func (s *bitset) clear(start, end int64) (n int64) {
	for start < end {
		page := start / bitPage
		first := page * bitPage
		stop := min(first+bitPage, end)
		n += s.clearIn(page, start-first, stop-first)
		start = stop
	}
	s.ones -= n
	return n
}

// clearIn clears [start, end) of a page.
func (s *bitset) clearIn(page, start, end int64) (n int64) {
	p := &s.pages[page]
	if p.ones == 0 {
		return 0
	}
	if end-start == bitPage {
		n = p.ones
		*p = bitWords{}
		return n
	}
	s.own(page)
	eachWord(start, end, func(w int64, mask uint64) {
		n += int64(bits.OnesCount64(mask & p.words[w]))
		p.words[w] &^= mask
	})
	if p.ones -= n; p.ones == 0 {
		p.words = nil
	}
	return n
}

// setPage sets the bits of a page to those of p: bit j of byte k is bit 8*k + j of
// the page. Those past the end are left out.
func (s *bitset) setPage(page int64, p []byte) {
	n := min(s.size-page*bitPage, bitPage)
	before := s.pages[page].ones
	s.pages[page] = bitWords{}
	if n == bitPage && allOnes(p) {
		s.pages[page] = bitWords{allSet, bitPage}
	} else if words, ones := wordsOf(p, n); ones > 0 {
		s.pages[page] = bitWords{words, ones}
	}
	s.ones += s.pages[page].ones - before
}

// wordsOf are the first n bits of p, and how many of them are set.
func wordsOf(p []byte, n int64) (words []uint64, ones int64) {
	words = make([]uint64, (n+63)/64)
	for k := range words {
		words[k] = binary.LittleEndian.Uint64(p[8*k:])
		if tail := n - int64(k)*64; tail < 64 {
			words[k] &= 1<<tail - 1
		}
		ones += int64(bits.OnesCount64(words[k]))
	}
	return words, ones
}

func allOnes(p []byte) bool {
	for ; len(p) >= 8; p = p[8:] {
		if binary.LittleEndian.Uint64(p) != ^uint64(0) {
			return false
		}
	}
	return true
}

// putPage writes the bits of a page into p, which is clear before, as setPage takes
// them.
func (s *bitset) putPage(page int64, p []byte) {
	for k, w := range s.pages[page].words {
		binary.LittleEndian.PutUint64(p[8*k:], w)
	}
}

func (s *bitset) count() int64 { return s.ones }

// next is the first i in [from, end) whose bit is v; end when there is none.
func (s *bitset) next(v bool, from, end int64) int64 {
	for from < end {
		page := from / bitPage
		first := page * bitPage
		stop := min(first+bitPage, end)
		if i := s.pages[page].next(v, from-first, stop-first); first+i < stop {
			return first + i
		}
		from = stop
	}
	return end
}

// next is the first i in [from, end) of a page, not empty, whose bit is v; end when
// there is none.
func (p *bitWords) next(v bool, from, end int64) int64 {
	var flip uint64
	if !v {
		flip = ^flip
	}
	if p.ones == 0 || p.ones == bitPage {
		if v == (p.ones > 0) {
			return from
		}
		return end
	}
	w := (p.words[from>>6] ^ flip) >> (from & 63)
	if w != 0 {
		return min(from+int64(bits.TrailingZeros64(w)), end)
	}
	for i := from>>6 + 1; i<<6 < end; i++ {
		if w := p.words[i] ^ flip; w != 0 {
			return min(i<<6+int64(bits.TrailingZeros64(w)), end)
		}
	}
	return end
}
