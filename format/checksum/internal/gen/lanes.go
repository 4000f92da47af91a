package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes is the kernel of a strong checksum. Each 32-bit lane of a register
// belongs to one block. A step waits for the one before, so that one set of
// blocks cannot keep the CPU busy: the steps of several sets take turns.
type lanes struct {
	width
	algorithm
	sets [sets]set
	rows []reg.VecPhysical // four, while words are made
	k    reg.VecPhysical   // a step's constant
}

// set is as many blocks as a register has lanes.
type set struct {
	state []reg.VecPhysical
	saved []operand.Mem   // state before the 64 bytes
	words [16]operand.Mem // of the 64 bytes
	t, u  reg.VecPhysical // within one step
	first int             // block
}

// General registers of the kernel.
var (
	states = reg.RDI // the states in memory
	base   = reg.RSI // the next bytes of the block at offset 0
	at     = reg.RDX // the offsets of blocks
	count  = reg.RCX // of 64 bytes left
	stack  = reg.RBX // words, aligned
	offset = reg.R8  // of one block
)

// sets of blocks of a kernel. More find no registers.
const sets = 2

func sumLanes(w width, a algorithm) {
	constants := data(a.name+"Constants", len(a.steps), func(i int) operand.Constant {
		return operand.U32(a.steps[i].constant)
	})
	n := 4 * w.parts * sets
	TEXT(a.name+w.name, 0, "func(state *[128]uint32, base *byte, at *[32]int, count int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s%s feeds %d blocks' states count times 64 bytes each; those of block i start", a.name, w.name, n),
		fmt.Sprintf("at base + at[i]. state[%d*j+i] is word j of the state of block i. count is", n),
		"positive.")
	Load(Param("state"), states)
	Load(Param("base"), base)
	Load(Param("at"), at)
	Load(Param("count"), count)
	l := &lanes{width: w, algorithm: a}
	l.place()
	for _, s := range l.sets {
		for i, r := range s.state {
			w.move(s.saved[i], r)
		}
	}

	Label("loop")
	for _, s := range l.sets {
		l.load(s)
	}
	for i, step := range a.steps {
		if step.constant != 0 && (i == 0 || step.constant != a.steps[i-1].constant) {
			VPBROADCASTD(constants.Offset(4*i), l.k)
		}
		l.step(i, step)
	}
	for _, s := range l.sets {
		for i, r := range s.state {
			VPADDD(s.saved[i], r, r)
			w.move(r, s.saved[i])
		}
	}
	ADDQ(operand.U8(64), base)
	DECQ(count)
	JNZ(operand.LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// place gives each part its registers and its memory.
func (l *lanes) place() {
	next := 0
	take := func(count int) []reg.VecPhysical {
		next += count
		return l.regs(next-count, count)
	}
	size := 16 * l.bytes()
	memory := AllocLocal(sets*size + l.bytes())
	LEAQ(memory.Offset(l.bytes()-1), stack)
	ANDQ(operand.I8(-l.bytes()), stack)
	for i := range l.sets {
		s := &l.sets[i]
		s.first = i * 4 * l.parts
		s.state = take(4)
		s.t, s.u = take(1)[0], take(1)[0]
		for j := range 4 {
			s.saved = append(s.saved, operand.Mem{Base: states, Disp: (j*sets + i) * l.bytes()})
		}
		for j := range s.words {
			s.words[j] = operand.Mem{Base: stack, Disp: i*size + j*l.bytes()}
		}
	}
	// Rows are needed while words are made, constants after that.
	l.rows = take(4)
	l.k = l.rows[0]
}

// load makes the sixteen words of the next 64 bytes of each block of a set.
func (l *lanes) load(s set) {
	if l.wide() {
		l.loadParts(s)
		return
	}
	for quarter := range 4 {
		for i, row := range l.rows {
			VMOVDQU(l.address(s.first+i, 16*quarter), row.AsX())
			VINSERTI128(operand.U8(1), l.address(s.first+4+i, 16*quarter), row, row)
		}
		l.transpose(l.rows, s.words[4*quarter:], s)
	}
}

// address of byte disp of what comes next of a block.
func (l *lanes) address(block, disp int) operand.Mem {
	MOVQ(operand.Mem{Base: at, Disp: 8 * block}, offset)
	return operand.Mem{Base: base, Index: offset, Scale: 1, Disp: disp}
}

// loadParts loads the blocks' 64 bytes with one access each, as blocks that are
// a power of two apart push each other out of the cache's first level. Then it
// exchanges parts: register 4*quarter + i has that quarter of the blocks i, 4+i,
// 8+i and 12+i.
func (l *lanes) loadParts(s set) {
	all := l.regs(16, 16) // place took none of them
	for i, r := range all {
		from := l.address(s.first+i, 0)
		// The CPU follows so many blocks badly. Past the end it does nothing.
		PREFETCHT1(from.Offset(320))
		l.move(from, r)
	}
	const low, high, even, odd = operand.U8(0x44), operand.U8(0xee), operand.U8(0x88), operand.U8(0xdd)
	for i := range 4 {
		r := []reg.VecPhysical{all[i], all[4+i], all[8+i], all[12+i]}
		t := l.rows
		VSHUFI32X4(low, r[1], r[0], t[0])
		VSHUFI32X4(high, r[1], r[0], t[1])
		VSHUFI32X4(low, r[3], r[2], t[2])
		VSHUFI32X4(high, r[3], r[2], t[3])
		VSHUFI32X4(even, t[2], t[0], r[0])
		VSHUFI32X4(odd, t[2], t[0], r[1])
		VSHUFI32X4(even, t[3], t[1], r[2])
		VSHUFI32X4(odd, t[3], t[1], r[3])
	}
	for quarter := range 4 {
		l.transpose(all[4*quarter:4*quarter+4], s.words[4*quarter:], s)
	}
}

// transpose exchanges rows and columns of words within each part of r, and puts
// them where they belong.
func (l *lanes) transpose(r []reg.VecPhysical, words []operand.Mem, s set) {
	t, u := s.t, s.u
	VPUNPCKLDQ(r[1], r[0], t)
	VPUNPCKHDQ(r[1], r[0], u)
	VPUNPCKHDQ(r[3], r[2], r[1])
	VPUNPCKLDQ(r[3], r[2], r[0])
	VPUNPCKHQDQ(r[1], u, r[3])
	VPUNPCKLQDQ(r[1], u, r[2])
	VPUNPCKHQDQ(r[0], t, r[1])
	VPUNPCKLQDQ(r[0], t, r[0])
	for i := range r {
		l.move(r[i], words[i])
	}
}

// step is step i of all sets. A step's result is b of the next; what depends
// on b comes last.
func (l *lanes) step(i int, step step) {
	each := func(f func(s set, a, b, c, d reg.VecPhysical)) {
		for _, s := range l.sets {
			f(s, s.state[(64-i)%4], s.state[(65-i)%4], s.state[(66-i)%4], s.state[(67-i)%4])
		}
	}
	each(func(s set, a, b, c, d reg.VecPhysical) {
		VPADDD(s.words[step.word], a, a)
		if step.constant != 0 {
			VPADDD(l.k, a, a)
		}
	})
	each(func(s set, a, b, c, d reg.VecPhysical) {
		if l.wide() {
			l.move(d, s.t)
			VPTERNLOGD(operand.U8(step.f.table()), b, c, s.t)
			VPADDD(s.t, a, a)
			VPROLD(operand.U8(step.rotate), a, a)
		} else {
			addFunction(step.f, s.t, s.u, a, b, c, d)
			VPSRLD(operand.U8(32-step.rotate), a, s.t)
			VPSLLD(operand.U8(step.rotate), a, a)
			VPOR(s.t, a, a)
		}
		if l.addB {
			VPADDD(b, a, a)
		}
	})
}

// table is the function as VPTERNLOGD takes it: bit 4*d + 2*c + b.
func (f function) table() (bits uint8) {
	for i := range 8 {
		bits |= uint8(f.of(i&1, i>>1&1, i>>2)) << i
	}
	return bits
}

// addFunction adds the function to a. Where two terms have no bit in common,
// both are added, so that one of them need not wait for b.
func addFunction(f function, t, u, a, b, c, d reg.VecPhysical) {
	switch f {
	case choose:
		VPXOR(c, d, t)
		VPAND(b, t, t)
		VPXOR(d, t, t)
	case majority:
		VPAND(c, d, u)
		VPADDD(u, a, a)
		VPXOR(c, d, t)
		VPAND(b, t, t)
	case parity:
		VPXOR(c, d, t)
		VPXOR(b, t, t)
	case chooseD:
		VPANDN(c, d, u)
		VPADDD(u, a, a)
		VPAND(b, d, t)
	case orNot:
		VPCMPEQD(u, u, u)
		VPXOR(d, u, t)
		VPOR(b, t, t)
		VPXOR(c, t, t)
	}
	VPADDD(t, a, a)
}
