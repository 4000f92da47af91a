#include "textflag.h"

// BIT shifts into R11 the bit that words has for key I of the group.
#define BIT(I) \
	MOVL (64+4*I)(SP), R12 \
	MOVL (AX)(R12*4), R12 \
	MOVL (4*I)(SP), R13 \
	BTL  R13, R12 \
	ADCL R11, R11

// func nearAVX2(words, dst, lo, hi *uint32, groups int, mask, factorLo, factorHi, shift uint32) (n int)
//
// Sixteen keys a round: their hashes are computed in lanes and put on the stack
// (first the hashes, behind them their upper bits, which are indexes of words), and
// looked up one by one, which is faster than a gathering load. R11 then has a bit
// for each key. The first hit is stored without a branch, since a group without one
// is about as likely as one with it.
TEXT ·nearAVX2(SB), NOSPLIT, $128-64
	MOVQ         words+0(FP), AX
	MOVQ         dst+8(FP), DI
	MOVQ         lo+16(FP), SI
	MOVQ         hi+24(FP), DX
	MOVQ         groups+32(FP), CX
	MOVL         mask+40(FP), R8
	VMOVD        R8, X0
	VPBROADCASTD X0, Y0
	MOVL         factorLo+44(FP), R8
	VMOVD        R8, X1
	VPBROADCASTD X1, Y1
	MOVL         factorHi+48(FP), R8
	VMOVD        R8, X2
	VPBROADCASTD X2, Y2
	MOVL         shift+52(FP), R8
	VMOVD        R8, X3
	XORQ         R9, R9
	XORQ         R10, R10
	TESTQ        CX, CX
	JZ           done

group:
	VPAND   (SI), Y0, Y4
	VPAND   32(SI), Y0, Y5
	VPAND   (DX), Y0, Y6
	VPAND   32(DX), Y0, Y7
	VPMULLD Y1, Y4, Y4
	VPMULLD Y1, Y5, Y5
	VPMULLD Y2, Y6, Y6
	VPMULLD Y2, Y7, Y7
	VPADDD  Y6, Y4, Y4
	VPADDD  Y7, Y5, Y5
	VPSRLD  X3, Y4, Y6
	VPSRLD  X3, Y5, Y7
	VMOVDQU Y4, 0(SP)
	VMOVDQU Y5, 32(SP)
	VMOVDQU Y6, 64(SP)
	VMOVDQU Y7, 96(SP)
	XORL    R11, R11
	BIT(15)
	BIT(14)
	BIT(13)
	BIT(12)
	BIT(11)
	BIT(10)
	BIT(9)
	BIT(8)
	BIT(7)
	BIT(6)
	BIT(5)
	BIT(4)
	BIT(3)
	BIT(2)
	BIT(1)
	BIT(0)

	// Without a hit this stores what the next one overwrites.
	TZCNTL R11, R12
	ADDL   R10, R12
	MOVL   R12, (DI)(R9*4)
	CMPL   R11, $1
	SBBQ   $-1, R9
	BLSRL  R11, R11
	JZ     next

more:
	TZCNTL R11, R12
	ADDL   R10, R12
	MOVL   R12, (DI)(R9*4)
	INCQ   R9
	BLSRL  R11, R11
	JNZ    more

next:
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $16, R10
	DECQ CX
	JNZ  group

done:
	VZEROUPPER
	MOVQ R9, n+56(FP)
	RET
