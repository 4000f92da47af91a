package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rsumOffsets is the kernel of the rsum at every offset, for AVX2 only: with
// registers of 512 bits it was slower. Each 128-bit part of a
// register is a stretch of its own, with eight offsets in 16 bits each, so that
// nothing crosses the parts. With x the byte that leaves and y the one that
// enters, a is a prefix sum of y-x, and b one of a - x<<shift.
func rsumOffsets() {
	w := avx2
	lastWord := data("lastWord", 1, func(int) operand.Constant { return operand.U32(0x0f0e0f0e) })
	TEXT("offsets"+w.name, attr.NOSPLIT, "func(dst *uint32, out, in *byte, stride, count int, shift uint, start *[2][4]uint32)")
	Pragma("noescape")
	Doc("offsets"+w.name+" rolls rsums over count times 16 bytes of out and in, and stores each. It",
		"does so in two stretches: stretch i starts with the rsum start[i][3], and at out, in",
		"and dst + i*stride elements. count is positive.")
	o := &offsetsKernel{
		width: w,
		zero:  w.reg(0), last: w.reg(1), shift: w.reg(2).AsX(),
		a: w.reg(3), b: w.reg(4),
		x: w.reg(5), y: w.reg(6),
	}
	left, start, bits := reg.RCX, reg.RAX, reg.RAX
	Load(Param("dst"), dst)
	Load(Param("out"), out)
	Load(Param("in"), in)
	Load(Param("stride"), stride)
	Load(Param("count"), left)
	Load(Param("shift"), bits)
	VMOVQ(bits, o.shift)
	Load(Param("start"), start)
	w.clear(o.zero)
	VPBROADCASTD(lastWord, o.last)
	w.move(operand.Mem{Base: start}, o.a)
	VPSLLD(operand.U8(16), o.a, o.b)
	VPSHUFB(o.last, o.a, o.a)
	VPSHUFB(o.last, o.b, o.b)

	Label("loop")
	o.gather(out, o.x)
	o.gather(in, o.y)
	o.eight(VPUNPCKLBW, w.regs(7, 4), 0)
	o.eight(VPUNPCKHBW, w.regs(11, 4), 32)
	ADDQ(operand.U8(16), out)
	ADDQ(operand.U8(16), in)
	ADDQ(operand.U8(64), dst)
	DECQ(left)
	JNZ(operand.LabelRef("loop"))
	VZEROUPPER()
	RET()
}

type offsetsKernel struct {
	width
	zero, last reg.VecPhysical // last repeats a part's last word
	shift      reg.Register
	a, b       reg.VecPhysical // of the offset before, in all words
	x, y       reg.VecPhysical // 16 bytes that leave, and that enter
}

// General registers of the kernel.
var (
	dst    = reg.RDI
	out    = reg.RSI
	in     = reg.RDX
	stride = reg.R8 // between stretches, in elements
)

// stretches are the addresses in both stretches of an array of elements of size
// bytes.
func (o *offsetsKernel) stretches(base reg.Register, size uint8, disp int) []operand.Mem {
	return []operand.Mem{
		{Base: base, Disp: disp},
		{Base: base, Disp: disp, Index: stride, Scale: size},
	}
}

// gather loads 16 bytes of each stretch.
func (o *offsetsKernel) gather(base reg.Register, to reg.VecPhysical) {
	from := o.stretches(base, 1, 0)
	VMOVDQU(from[0], to.AsX())
	VINSERTI128(operand.U8(1), from[1], to, to)
}

// eight rolls over eight bytes, the half of x and y that widen takes. free are
// registers for its use.
func (o *offsetsKernel) eight(widen func(...operand.Op), free []reg.VecPhysical, disp int) {
	x, a, b, t := free[0], free[1], free[2], free[3]
	widen(o.zero, o.x, x)
	widen(o.zero, o.y, a)
	VPSUBW(x, a, a)
	o.prefixSum(a, t)
	VPADDW(o.a, a, a)
	VPSHUFB(o.last, a, o.a)

	VPSLLW(o.shift, x, x)
	VPSUBW(x, a, b)
	o.prefixSum(b, t)
	VPADDW(o.b, b, b)
	VPSHUFB(o.last, b, o.b)

	VPUNPCKLWD(a, b, t)
	o.scatter(t, disp)
	VPUNPCKHWD(a, b, t)
	o.scatter(t, disp+16)
}

// prefixSum sums the words of each part of r; t is for its use.
func (o *offsetsKernel) prefixSum(r, t reg.VecPhysical) {
	for bytes := uint8(2); bytes <= 8; bytes *= 2 {
		VPSLLDQ(operand.U8(bytes), r, t)
		VPADDW(t, r, r)
	}
}

// scatter stores the parts of r, four results each.
func (o *offsetsKernel) scatter(r reg.VecPhysical, disp int) {
	to := o.stretches(dst, 4, disp)
	VMOVDQU(r.AsX(), to[0])
	VEXTRACTI128(operand.U8(1), r, to[1])
}
