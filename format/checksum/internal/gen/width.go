package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// width is a set of vector instructions.
type width struct {
	name  string // as it ends the names of kernels
	parts int    // the number of 128-bit parts of a register
}

var (
	avx2   = width{"AVX2", 2}
	avx512 = width{"AVX512", 4}
)

// wide says whether w is AVX-512, which also has more registers and rotates,
// and logical functions of three inputs.
func (w width) wide() bool { return w.parts == 4 }

// bytes of a register.
func (w width) bytes() int { return 16 * w.parts }

var physical = []reg.VecPhysical{
	reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
	reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15,
	reg.X16, reg.X17, reg.X18, reg.X19, reg.X20, reg.X21, reg.X22, reg.X23,
	reg.X24, reg.X25, reg.X26, reg.X27, reg.X28, reg.X29, reg.X30, reg.X31,
}

// reg is register i, of 16 or 32.
func (w width) reg(i int) reg.VecPhysical {
	if w.wide() {
		return physical[i].AsZ().(reg.VecPhysical)
	}
	return physical[i].AsY().(reg.VecPhysical)
}

// regs are count registers from register first on.
func (w width) regs(first, count int) []reg.VecPhysical {
	var list []reg.VecPhysical
	for i := range count {
		list = append(list, w.reg(first+i))
	}
	return list
}

// move is a register's load, store or copy; addresses need no alignment.
func (w width) move(from, to operand.Op) {
	if w.wide() {
		VMOVDQU32(from, to)
		return
	}
	VMOVDQU(from, to)
}

// clear sets r to zeros.
func (w width) clear(r reg.VecPhysical) {
	if w.wide() {
		VPXORD(r, r, r)
		return
	}
	VPXOR(r, r, r)
}
