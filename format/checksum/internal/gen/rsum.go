package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// data makes static data once for both widths.
func data(name string, count int, value func(i int) operand.Constant) operand.Mem {
	m, ok := tables[name]
	if !ok {
		m = GLOBL(name, attr.RODATA|attr.NOPTR)
		at := 0
		for i := range count {
			v := value(i)
			DATA(at, v)
			at += v.Bytes()
		}
		tables[name] = m
	}
	return m
}

// tables are the static data, by name.
var tables = map[string]operand.Mem{}

// rsum is the kernel of the rsum of one block. It takes 64 bytes a step: the
// first weighs 64 in b, the last 1, and all 64 more for each step that follows.
// 255*(64+63) is below 2^15, so the weighted sum of two bytes is exact, and
// further sums may wrap: only 16 bits of a and b matter.
func rsum(w width) {
	weights := data("weights", 64, func(i int) operand.Constant { return operand.U8(uint8(64 - i)) })
	ones := data("ones", 1, func(int) operand.Constant { return operand.U32(0x10001) })
	TEXT("rsum"+w.name, attr.NOSPLIT, "func(p *byte, count int) (a, b uint32)")
	Pragma("noescape")
	Doc("rsum"+w.name+" is the rsum of count times 64 bytes, in the lower 16 bits of a and b. count",
		"is positive.")
	var (
		p, left  = reg.RSI, reg.RCX
		a, steps = w.reg(0), w.reg(1) // sum of bytes; sum of a before each step
		weighted = w.reg(2)           // in words
		zero, t  = w.reg(3), w.reg(4)
	)
	Load(Param("p"), p)
	Load(Param("count"), left)
	for _, r := range []reg.VecPhysical{a, steps, weighted, zero} {
		w.clear(r)
	}
	perStep := 64 / w.bytes()
	for i := range perStep {
		w.move(weights.Offset(i*w.bytes()), w.reg(5+i))
	}

	Label("loop")
	VPADDD(a, steps, steps)
	for i := range perStep {
		x := w.reg(7 + i)
		w.move(operand.Mem{Base: p, Disp: i * w.bytes()}, x)
		VPMADDUBSW(w.reg(5+i), x, t)
		VPADDW(t, weighted, weighted)
		VPSADBW(zero, x, x)
		VPADDD(x, a, a)
	}
	ADDQ(operand.U8(64), p)
	DECQ(left)
	JNZ(operand.LabelRef("loop"))

	VPSLLD(operand.U8(6), steps, steps)
	VPBROADCASTD(ones, t)
	VPMADDWD(t, weighted, weighted)
	VPADDD(weighted, steps, steps)
	w.reduce(a, t, reg.EAX)
	w.reduce(steps, t, reg.EDX)
	VZEROUPPER()
	Store(reg.EAX, Return("a"))
	Store(reg.EDX, Return("b"))
	RET()
}

// reduce sets to to the sum of the 32-bit lanes of r; t is for its use.
func (w width) reduce(r, t reg.VecPhysical, to reg.Register) {
	if w.wide() {
		VEXTRACTI64X4(operand.U8(1), r, t.AsY())
		VPADDD(t.AsY(), r.AsY(), r.AsY())
	}
	VEXTRACTI128(operand.U8(1), r.AsY(), t.AsX())
	VPADDD(t.AsX(), r.AsX(), r.AsX())
	for _, swap := range []uint8{0x4e, 0xb1} {
		VPSHUFD(operand.U8(swap), r.AsX(), t.AsX())
		VPADDD(t.AsX(), r.AsX(), r.AsX())
	}
	VMOVD(r.AsX(), to)
}
