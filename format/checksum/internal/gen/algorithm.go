package main

import "math"

// function is a round's function of three words, bit by bit.
type function int

const (
	choose   function = iota // b ? c : d
	majority                 // at least two of them
	parity                   // b ^ c ^ d
	chooseD                  // d ? b : c
	orNot                    // c ^ (b | ^d)
)

// of is the function for single bits.
func (f function) of(b, c, d int) int {
	switch f {
	case choose:
		return b&c | (b^1)&d
	case majority:
		return b&c | b&d | c&d
	case parity:
		return b ^ c ^ d
	case chooseD:
		return d&b | (d^1)&c
	}
	return c ^ (b | (d ^ 1))
}

// step is: a = (a + f(b,c,d) + word + constant) <<< rotate, and for MD5 + b.
type step struct {
	f        function
	word     int
	constant uint32
	rotate   uint8
}

// algorithm is MD4 or MD5: RFC 1320 and RFC 1321.
type algorithm struct {
	name  string
	steps []step
	addB  bool
}

var md4 = algorithm{name: "md4", steps: md4Steps()}

func md4Steps() (list []step) {
	words := [3][16]int{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
		{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15},
	}
	rotates := [3][4]uint8{{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}}
	constants := [3]uint32{0, 0x5a827999, 0x6ed9eba1}
	for round, f := range []function{choose, majority, parity} {
		for i, word := range words[round] {
			list = append(list, step{f, word, constants[round], rotates[round][i%4]})
		}
	}
	return list
}

var md5 = algorithm{name: "md5", steps: md5Steps(), addB: true}

func md5Steps() (list []step) {
	rotates := [4][4]uint8{{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}
	strides := [4][2]int{{1, 0}, {5, 1}, {3, 5}, {7, 0}}
	for round, f := range []function{choose, chooseD, parity, orNot} {
		for i := range 16 {
			n := float64(16*round + i + 1)
			list = append(list, step{
				f:        f,
				word:     (strides[round][0]*i + strides[round][1]) % 16,
				constant: uint32(math.Floor(math.Abs(math.Sin(n)) * (1 << 32))),
				rotate:   rotates[round][i%4],
			})
		}
	}
	return list
}
