package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes is the kernel of a strong checksum. Each 32-bit lane of a register
// belongs to one block: part p has the blocks p, p+parts ... of the caller.
type lanes struct {
	width
	algorithm
	state []reg.VecPhysical
	saved []reg.VecPhysical // state before the 64 bytes
	words [16]operand.Op    // of the 64 bytes, in registers or on the stack
	rows  []reg.VecPhysical // four, while words are made
	t, u  reg.VecPhysical   // within one step
	k     reg.VecPhysical   // a step's constant
	last  uint32            // what k holds
}

// General registers of the kernel.
var (
	states = reg.RDI // the states in memory
	base   = reg.RSI // the next bytes of the block at offset 0
	at     = reg.RDX // the offsets of blocks
	count  = reg.RCX // of 64 bytes left
	stack  = reg.RBX // words, aligned, where they do not fit into registers
	offset = reg.R8  // of one block

)

func sumLanes(w width, a algorithm) {
	n := 4 * w.parts
	constants := data(a.name+"Constants", len(a.steps), func(i int) operand.Constant {
		return operand.U32(a.steps[i].constant)
	})
	TEXT(a.name+w.name, 0, "func(state *[64]uint32, base *byte, at *[16]int, count int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s%s feeds %d blocks' states count times 64 bytes each; those of block i start", a.name, w.name, n),
		fmt.Sprintf("at base + at[i]. state[%d*j+i] is word j of the state of block i. count is", n),
		"positive.")
	l := &lanes{width: w, algorithm: a}
	l.place()
	Load(Param("state"), states)
	Load(Param("base"), base)
	Load(Param("at"), at)
	Load(Param("count"), count)
	for i, s := range l.state {
		w.move(operand.Mem{Base: states, Disp: i * w.bytes()}, s)
	}

	Label("loop")
	l.load()
	for i, s := range l.state {
		w.move(s, l.saved[i])
	}
	for i, s := range a.steps {
		if s.constant != 0 && (i == 0 || s.constant != a.steps[i-1].constant) {
			VPBROADCASTD(constants.Offset(4*i), l.k)
		}
		// A step's result is b of the next.
		l.step(s, l.state[(64-i)%4], l.state[(65-i)%4], l.state[(66-i)%4], l.state[(67-i)%4])
	}
	for i, s := range l.state {
		VPADDD(l.saved[i], s, s)
	}
	ADDQ(operand.U8(64), base)
	DECQ(count)
	JNZ(operand.LabelRef("loop"))

	for i, s := range l.state {
		w.move(s, operand.Mem{Base: states, Disp: i * w.bytes()})
	}
	VZEROUPPER()
	RET()
}

// place gives each part its registers.
func (l *lanes) place() {
	if l.wide() {
		for i, r := range l.regs(0, 16) {
			l.words[i] = r
		}
		l.state, l.saved, l.rows = l.regs(16, 4), l.regs(20, 4), l.regs(24, 4)
		l.t, l.u, l.k = l.reg(28), l.reg(29), l.reg(30)
		return
	}
	l.state, l.saved = l.regs(0, 4), l.regs(4, 4)
	l.rows = l.saved // which has nothing yet when rows are needed
	l.t, l.u, l.k = l.reg(12), l.reg(13), l.reg(14)
	memory := AllocLocal(16*32 + 32)
	LEAQ(memory.Offset(31), stack)
	ANDQ(operand.I8(-32), stack)
	for i := range l.words {
		l.words[i] = operand.Mem{Base: stack, Disp: 32 * i}
	}
}

// load makes the sixteen words of each block's next 64 bytes.
func (l *lanes) load() {
	if l.wide() {
		l.loadParts()
		for quarter := range 4 {
			l.transpose(l.regs(4*quarter, 4), l.regs(4*quarter, 4))
		}
		return
	}
	out := l.regs(8, 4)
	for quarter := range 4 {
		for i, row := range l.rows {
			VMOVDQU(l.address(i, 16*quarter), row.AsX())
			VINSERTI128(operand.U8(1), l.address(4+i, 16*quarter), row, row)
		}
		l.transpose(l.rows, out)
		for i := range out {
			l.move(out[i], l.words[4*quarter+i])
		}
	}
}

// address of byte disp of what comes next of a block.
func (l *lanes) address(block, disp int) operand.Mem {
	MOVQ(operand.Mem{Base: at, Disp: 8 * block}, offset)
	return operand.Mem{Base: base, Index: offset, Scale: 1, Disp: disp}
}

// loadParts loads the blocks' 64 bytes with one access each, as blocks that are
// a power of two apart push each other out of the cache's first level, and
// exchanges parts: register 4*quarter + i has that quarter of the blocks i, 4+i,
// 8+i and 12+i.
func (l *lanes) loadParts() {
	for i := range 16 {
		l.move(l.address(i, 0), l.reg(i))
	}
	const low, high, even, odd = operand.U8(0x44), operand.U8(0xee), operand.U8(0x88), operand.U8(0xdd)
	for i := range 4 {
		r := []reg.VecPhysical{l.reg(i), l.reg(4 + i), l.reg(8 + i), l.reg(12 + i)}
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
}

// transpose exchanges rows and columns of words within each part. r and out are
// the same registers or have none in common; r is lost.
func (l *lanes) transpose(r, out []reg.VecPhysical) {
	t, u := l.t, l.u
	VPUNPCKLDQ(r[1], r[0], t)
	VPUNPCKHDQ(r[1], r[0], u)
	VPUNPCKHDQ(r[3], r[2], r[1])
	VPUNPCKLDQ(r[3], r[2], r[0])
	VPUNPCKHQDQ(r[1], u, out[3])
	VPUNPCKLQDQ(r[1], u, out[2])
	VPUNPCKHQDQ(r[0], t, out[1])
	VPUNPCKLQDQ(r[0], t, out[0])
}

// step is one step with the state in the order that it has there. What depends
// on b, the result of the step before, comes last.
func (l *lanes) step(s step, a, b, c, d reg.VecPhysical) {
	VPADDD(l.words[s.word], a, a)
	if s.constant != 0 {
		VPADDD(l.k, a, a)
	}
	if l.wide() {
		l.move(d, l.t)
		VPTERNLOGD(operand.U8(s.f.table()), b, c, l.t)
		VPADDD(l.t, a, a)
		VPROLD(operand.U8(s.rotate), a, a)
	} else {
		l.addFunction(s.f, a, b, c, d)
		VPSRLD(operand.U8(32-s.rotate), a, l.t)
		VPSLLD(operand.U8(s.rotate), a, a)
		VPOR(l.t, a, a)
	}
	if l.addB {
		VPADDD(b, a, a)
	}
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
func (l *lanes) addFunction(f function, a, b, c, d reg.VecPhysical) {
	t, u := l.t, l.u
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
