package checksum

import (
	"encoding/binary"
	"math/bits"
)

// md4Lanes is how many blocks md4Go takes.
const md4Lanes = 2

// md4Go is what the kernels for MD4 are, in Go: it feeds the states of two blocks
// count times 64 bytes each, those of data from at[0] and from at[1] on.
// state[2*j+i] is word j of the state of block i.
//
// Step by step the two take turns, since a step waits for the one before. A
// third would find no registers. Each turn of a loop is four steps, after which
// a to d are in their places again; with all 48 in a row the compiler keeps the
// words of the data from round to round, for which it has no registers either.
func md4Go(state *[4 * maxLanes]uint32, data []byte, at *[maxLanes]int, count int) {
	s := (*[8]uint32)(state[:])
	rest0, rest1 := data[at[0]:][:64*count], data[at[1]:][:64*count]
	for len(rest0) >= 64 && len(rest1) >= 64 {
		p0, p1 := (*[64]byte)(rest0), (*[64]byte)(rest1)
		rest0, rest1 = rest0[64:], rest1[64:]
		a0, b0, c0, d0 := s[0], s[2], s[4], s[6]
		a1, b1, c1, d1 := s[1], s[3], s[5], s[7]
		for i := range 4 {
			a0 = bits.RotateLeft32(a0+word(p0, 4*i)+choose(b0, c0, d0), 3)
			a1 = bits.RotateLeft32(a1+word(p1, 4*i)+choose(b1, c1, d1), 3)
			d0 = bits.RotateLeft32(d0+word(p0, 4*i+1)+choose(a0, b0, c0), 7)
			d1 = bits.RotateLeft32(d1+word(p1, 4*i+1)+choose(a1, b1, c1), 7)
			c0 = bits.RotateLeft32(c0+word(p0, 4*i+2)+choose(d0, a0, b0), 11)
			c1 = bits.RotateLeft32(c1+word(p1, 4*i+2)+choose(d1, a1, b1), 11)
			b0 = bits.RotateLeft32(b0+word(p0, 4*i+3)+choose(c0, d0, a0), 19)
			b1 = bits.RotateLeft32(b1+word(p1, 4*i+3)+choose(c1, d1, a1), 19)
		}
		for i := range 4 {
			a0 = bits.RotateLeft32(a0+word(p0, i)+0x5a827999+majority(b0, c0, d0), 3)
			a1 = bits.RotateLeft32(a1+word(p1, i)+0x5a827999+majority(b1, c1, d1), 3)
			d0 = bits.RotateLeft32(d0+word(p0, i+4)+0x5a827999+majority(a0, b0, c0), 5)
			d1 = bits.RotateLeft32(d1+word(p1, i+4)+0x5a827999+majority(a1, b1, c1), 5)
			c0 = bits.RotateLeft32(c0+word(p0, i+8)+0x5a827999+majority(d0, a0, b0), 9)
			c1 = bits.RotateLeft32(c1+word(p1, i+8)+0x5a827999+majority(d1, a1, b1), 9)
			b0 = bits.RotateLeft32(b0+word(p0, i+12)+0x5a827999+majority(c0, d0, a0), 13)
			b1 = bits.RotateLeft32(b1+word(p1, i+12)+0x5a827999+majority(c1, d1, a1), 13)
		}
		for turn := range 4 {
			i := (2*turn + turn/2) & 3 // 0, 2, 1, 3
			a0 = bits.RotateLeft32(a0+word(p0, i)+0x6ed9eba1+parity(b0, c0, d0), 3)
			a1 = bits.RotateLeft32(a1+word(p1, i)+0x6ed9eba1+parity(b1, c1, d1), 3)
			d0 = bits.RotateLeft32(d0+word(p0, i+8)+0x6ed9eba1+parity(a0, b0, c0), 9)
			d1 = bits.RotateLeft32(d1+word(p1, i+8)+0x6ed9eba1+parity(a1, b1, c1), 9)
			c0 = bits.RotateLeft32(c0+word(p0, i+4)+0x6ed9eba1+parity(d0, a0, b0), 11)
			c1 = bits.RotateLeft32(c1+word(p1, i+4)+0x6ed9eba1+parity(d1, a1, b1), 11)
			b0 = bits.RotateLeft32(b0+word(p0, i+12)+0x6ed9eba1+parity(c0, d0, a0), 15)
			b1 = bits.RotateLeft32(b1+word(p1, i+12)+0x6ed9eba1+parity(c1, d1, a1), 15)
		}
		s[0], s[2], s[4], s[6] = s[0]+a0, s[2]+b0, s[4]+c0, s[6]+d0
		s[1], s[3], s[5], s[7] = s[1]+a1, s[3]+b1, s[5]+c1, s[7]+d1
	}
}

// word is word i of 16.
func word(p *[64]byte, i int) uint32 { return binary.LittleEndian.Uint32(p[4*i:]) }

// The functions of the rounds, with as many terms as possible that one step has
// in common with the next: c^d is b^c there.
func choose(b, c, d uint32) uint32   { return d ^ b&(c^d) }
func majority(b, c, d uint32) uint32 { return c ^ (b^c)&(c^d) }
func parity(b, c, d uint32) uint32   { return b ^ (c ^ d) }
