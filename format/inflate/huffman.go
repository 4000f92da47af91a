package inflate

import "math/bits"

// entry is one entry of a decoding table: bits 0-3 how many bits of the input
// the code has (in a subtable: those beyond the first table's), 4-7 how many
// extra bits follow it (of a link: how many select in the subtable), 8-11 its
// kind, 16-31 its value.
type entry uint32

// Kinds of entries.
const (
	kindInvalid entry = iota << 8 // no code has these bits
	kindLiteral
	kindCopy // value is the base of a length or distance
	kindEnd
	kindLink       // value is where the subtable starts
	kindMask entry = 0xf << 8
)

func (e entry) length() uint { return uint(e & 15) }
func (e entry) extra() uint  { return uint(e >> 4 & 15) }
func (e entry) kind() entry  { return e & kindMask }
func (e entry) value() int   { return int(e >> 16) }

const (
	maxCodeLength = 15
	// tableBits are those that the first table is indexed with.
	tableBits = 9
	// tableSize has room for all subtables, each cut to its longest code: zlib's
	// program "enough" finds 852 entries for 286 symbols, and 30 symbols make at
	// most 4 subtables of 64.
	tableSize = 1024
)

// table decodes one code.
type table struct {
	bits    uint // the first table has 1<<bits entries
	entries [tableSize]entry
}

// codeKind says how the lengths of a code may be.
type codeKind int

const (
	complete   codeKind = iota // every sequence of bits is a code
	singleAlso                 // or there is one code only, of one bit
	noneAlso                   // or none at all
)

// build makes the table of the canonical code with lengths (0: no such symbol)
// whose symbols are meanings. The errors say what is wrong with the lengths.
func (t *table) build(lengths []uint8, meanings []entry, kind codeKind) error {
	var counts [maxCodeLength + 1]int
	longest := 0
	for _, l := range lengths {
		counts[l]++
		longest = max(longest, int(l))
	}
	counts[0] = 0
	left := 1
	for l := 1; l <= maxCodeLength; l++ {
		if left = left<<1 - counts[l]; left < 0 {
			return damaged("a Huffman code has too many codes")
		}
	}
	switch {
	case longest == 0 && kind == noneAlso:
		t.bits = 1
		t.entries[0], t.entries[1] = kindInvalid, kindInvalid
		return nil
	case left > 0 && (kind == complete || longest != 1):
		return damaged("a Huffman code is incomplete")
	}
	t.bits = uint(min(longest, tableBits))
	size := 1 << t.bits
	if left > 0 {
		clear(t.entries[:size])
	}
	var next [maxCodeLength + 2]int
	for l, code := 1, 0; l <= maxCodeLength; l++ {
		next[l] = code
		code = (code + counts[l]) << 1
	}
	// Codes of up to t.bits bits, and how long those behind each prefix are.
	var deepest [1 << tableBits]uint8
	for symbol, l := range lengths {
		if l == 0 {
			continue
		}
		code := int(bits.Reverse16(uint16(next[l])) >> (16 - l))
		if uint(l) > t.bits {
			prefix := code & (size - 1)
			deepest[prefix] = max(deepest[prefix], l)
			next[l]++
			continue
		}
		e := meanings[symbol] | entry(l)
		for at := code; at < size; at += 1 << l {
			t.entries[at] = e
		}
		next[l]++
	}
	if longest > tableBits {
		t.buildSubtables(lengths, meanings, &counts, &deepest)
	}
	return nil
}

// buildSubtables adds the tables for codes longer than tableBits; the code is
// complete.
func (t *table) buildSubtables(lengths []uint8, meanings []entry, counts *[maxCodeLength + 1]int, deepest *[1 << tableBits]uint8) {
	end := 1 << tableBits
	var starts [1 << tableBits]uint16
	for prefix, l := range deepest {
		if l > 0 {
			starts[prefix] = uint16(end)
			width := entry(l - tableBits)
			t.entries[prefix] = entry(end)<<16 | kindLink | width<<4 | tableBits
			end += 1 << width
		}
	}
	var next [maxCodeLength + 2]int
	for l, code := 1, 0; l <= maxCodeLength; l++ {
		next[l] = code
		code = (code + counts[l]) << 1
	}
	for symbol, l := range lengths {
		if l == 0 {
			continue
		}
		code := int(bits.Reverse16(uint16(next[l])) >> (16 - l))
		next[l]++
		if l <= tableBits {
			continue
		}
		prefix := code & (1<<tableBits - 1)
		start := int(starts[prefix])
		width := deepest[prefix] - tableBits
		e := meanings[symbol] | entry(l-tableBits)
		for at := code >> tableBits; at < 1<<width; at += 1 << (l - tableBits) {
			t.entries[start+at] = e
		}
	}
}
