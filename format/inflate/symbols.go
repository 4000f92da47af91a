package inflate

import "sync"

const (
	maxLiterals  = 286 // symbols of the code of literals and lengths
	maxDistances = 30
	endOfBlock   = 256
)

// What the symbols of each code mean (RFC 1951, 3.2.5).
var literalMeanings, distanceMeanings, lengthMeanings = symbolMeanings()

func symbolMeanings() (literals, distances, lengths []entry) {
	literals = make([]entry, 288)
	for i := range endOfBlock {
		literals[i] = kindLiteral | entry(i)<<16
	}
	literals[endOfBlock] = kindEnd
	base := 3
	for i := range 28 {
		extra := max(0, i/4-1)
		literals[257+i] = kindCopy | entry(base)<<16 | entry(extra)<<4
		base += 1 << extra
	}
	literals[285] = kindCopy | 258<<16
	distances = make([]entry, 32)
	base = 1
	for i := range maxDistances {
		extra := max(0, i/2-1)
		distances[i] = kindCopy | entry(base)<<16 | entry(extra)<<4
		base += 1 << extra
	}
	lengths = make([]entry, 19)
	for i := range lengths {
		lengths[i] = kindLiteral | entry(i)<<16
	}
	return literals, distances, lengths
}

// fixedTables are those of blocks with fixed codes (RFC 1951, 3.2.6).
var fixedTables = sync.OnceValues(func() (literals, distances *table) {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	literals, distances = new(table), new(table)
	if err := literals.build(lengths[:], literalMeanings, complete); err != nil {
		panic(err)
	}
	var five [32]uint8
	for i := range five {
		five[i] = 5
	}
	if err := distances.build(five[:], distanceMeanings, complete); err != nil {
		panic(err)
	}
	return literals, distances
})

// lengthOrder is the order of the lengths of the code of lengths.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
