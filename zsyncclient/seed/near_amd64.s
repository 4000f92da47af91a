#include "textflag.h"

// FOUR puts into X the words of four keys, whose indexes are at OFF(BX). Reading two
// indexes at a time makes up for half of the loads that go through the stack.
#define FOUR(OFF, X) \
	MOVQ    (OFF)(BX), R12 \
	MOVQ    (OFF+8)(BX), R10 \
	MOVL    R12, R13 \
	MOVL    R10, R11 \
	SHRQ    $32, R12 \
	SHRQ    $32, R10 \
	VMOVD   (AX)(R13*4), X \
	VPINSRD $1, (AX)(R12*4), X, X \
	VPINSRD $2, (AX)(R11*4), X, X \
	VPINSRD $3, (AX)(R10*4), X, X

// STEP makes SI and DX those of the next round of SIZE bytes of keys, unless this is
// the last one, and BX and R8 each other.
#define STEP(SIZE) \
	MOVL    $SIZE, R10 \
	XORL    R11, R11 \
	DECQ    CX \
	CMOVQEQ R11, R10 \
	ADDQ    R10, SI \
	ADDQ    R10, DX \
	XCHGQ   BX, R8

// HASH512 sets H to the hashes of 16 keys at OFF, and stores the indexes of their
// words at OFF(R8).
#define HASH512(OFF, H) \
	VPANDD    (OFF)(SI), Z0, H \
	VPANDD    (OFF)(DX), Z0, Z8 \
	VPMULLD   Z1, H, H \
	VPMULLD   Z2, Z8, Z8 \
	VPADDD    Z8, H, H \
	VPSRLD    $14, H, Z8 \
	VPANDD    Z3, Z8, Z8 \
	VMOVDQU32 Z8, (OFF)(R8)

// TEST512 tests the bits of 16 keys, whose hashes are H and whose indexes are at
// OFF(BX), and stores the places of those that have them; Z17 are all their places.
// It stores 16 places, and the next ones overwrite those that are none.
#define TEST512(OFF, H) \
	FOUR(OFF, X8) \
	FOUR(OFF+16, X9) \
	FOUR(OFF+32, X10) \
	FOUR(OFF+48, X11) \
	VINSERTI128   $1, X9, Y8, Y8 \
	VINSERTI128   $1, X11, Y10, Y10 \
	VINSERTI64X4  $1, Y10, Z8, Z8 \
	VPSRLD        $3, H, Z9 \
	VPSRLD        $9, H, Z10 \
	VPRORVD       Z9, Z8, Z9 \
	VPRORVD       Z10, Z8, Z10 \
	VPSRLD        $6, H, Z11 \
	VPRORVD       Z11, Z8, Z8 \
	VPANDD        Z9, Z10, Z9 \
	VPANDD        Z8, Z9, Z9 \
	VPTESTMD      Z16, Z9, K1 \
	VPCOMPRESSD.Z Z17, K1, Z9 \
	VMOVDQU32     Z9, (DI)(R9*4) \
	KMOVW         K1, R10 \
	POPCNTL       R10, R10 \
	ADDQ          R10, R9 \
	VPADDD        Z18, Z17, Z17

// func nearAVX512(words, dst, lo, hi *uint32, groups int, mask, factorLo, factorHi, last uint32) (n int)
//
// One group of keys a round. Its indexes are computed in the round before and pass
// through the stack: what is loaded right after it was stored comes late. Scalar
// loads of the words are faster than a gathering one.
TEXT ·nearAVX512(SB), 0, $320-64
	MOVQ         words+0(FP), AX
	MOVQ         dst+8(FP), DI
	MOVQ         lo+16(FP), SI
	MOVQ         hi+24(FP), DX
	MOVQ         groups+32(FP), CX
	MOVL         mask+40(FP), R10
	VPBROADCASTD R10, Z0
	MOVL         factorLo+44(FP), R10
	VPBROADCASTD R10, Z1
	MOVL         factorHi+48(FP), R10
	VPBROADCASTD R10, Z2
	MOVL         last+52(FP), R10
	VPBROADCASTD R10, Z3
	MOVL         $1, R10
	VPBROADCASTD R10, Z16
	VMOVDQU32    ·places(SB), Z17
	MOVL         $16, R10
	VPBROADCASTD R10, Z18
	LEAQ         63(SP), BX
	ANDQ         $~63, BX         // a store across two lines is slower
	LEAQ         128(BX), R8
	XORQ         R9, R9
	HASH512(0, Z4)
	HASH512(64, Z5)

round512:
	VMOVDQA32 Z4, Z6
	VMOVDQA32 Z5, Z7
	STEP(128)
	HASH512(0, Z4)
	HASH512(64, Z5)
	TEST512(0, Z6)
	TEST512(64, Z7)
	TESTQ     CX, CX
	JNZ       round512
	VZEROUPPER
	MOVQ      R9, n+56(FP)
	RET

// HASH256 is HASH512 of eight keys.
#define HASH256(OFF, H) \
	VPAND   (OFF)(SI), Y0, H \
	VPAND   (OFF)(DX), Y0, Y8 \
	VPMULLD Y1, H, H \
	VPMULLD Y2, Y8, Y8 \
	VPADDD  Y8, H, H \
	VPSRLD  $14, H, Y8 \
	VPAND   Y3, Y8, Y8 \
	VMOVDQU Y8, (OFF)(R8)

// TEST256 sets the lower bits of MASK, one for each key, to whether all bits of
// eight keys are there.
#define TEST256(OFF, H, MASK) \
	FOUR(OFF, X8) \
	FOUR(OFF+16, X9) \
	VINSERTI128 $1, X9, Y8, Y8 \
	VPSRLD      $3, H, Y9 \
	VPSRLD      $9, H, Y10 \
	VPAND       Y14, Y9, Y9 \
	VPAND       Y14, Y10, Y10 \
	VPSRLVD     Y9, Y8, Y9 \
	VPSRLVD     Y10, Y8, Y10 \
	VPSRLD      $6, H, Y11 \
	VPAND       Y14, Y11, Y11 \
	VPSRLVD     Y11, Y8, Y8 \
	VPAND       Y9, Y10, Y9 \
	VPAND       Y8, Y9, Y9 \
	VPSLLD      $31, Y9, Y9 \
	VMOVMSKPS   Y9, MASK

// func nearAVX2(words, dst, lo, hi *uint32, groups int, mask, factorLo, factorHi, last uint32) (n int)
//
// As nearAVX512, in registers of half the size and half a group a round. R14 has a
// bit for each key. The first hit is stored without a branch, since sixteen keys
// without one are not much more likely than with one.
TEXT ·nearAVX2(SB), 0, $192-64
	MOVQ         words+0(FP), AX
	MOVQ         dst+8(FP), DI
	MOVQ         lo+16(FP), SI
	MOVQ         hi+24(FP), DX
	MOVQ         groups+32(FP), CX
	MOVL         mask+40(FP), R10
	VMOVD        R10, X0
	VPBROADCASTD X0, Y0
	MOVL         factorLo+44(FP), R10
	VMOVD        R10, X1
	VPBROADCASTD X1, Y1
	MOVL         factorHi+48(FP), R10
	VMOVD        R10, X2
	VPBROADCASTD X2, Y2
	MOVL         last+52(FP), R10
	VMOVD        R10, X3
	VPBROADCASTD X3, Y3
	MOVL         $31, R10
	VMOVD        R10, X14
	VPBROADCASTD X14, Y14
	LEAQ         63(SP), BX
	ANDQ         $~63, BX
	LEAQ         64(BX), R8
	XORQ         R9, R9
	XORQ         R15, R15
	SHLQ         $1, CX // rounds
	HASH256(0, Y4)
	HASH256(32, Y5)

round256:
	VMOVDQA Y4, Y6
	VMOVDQA Y5, Y7
	STEP(64)
	HASH256(0, Y4)
	HASH256(32, Y5)
	TEST256(0, Y6, R14)
	TEST256(32, Y7, R10)
	SHLL    $8, R10
	ORL     R10, R14

	// Without a hit this stores what the next one overwrites.
	TZCNTL R14, R12
	ADDL   R15, R12
	MOVL   R12, (DI)(R9*4)
	CMPL   R14, $1
	SBBQ   $-1, R9
	BLSRL  R14, R14
	JZ     next

more:
	TZCNTL R14, R12
	ADDL   R15, R12
	MOVL   R12, (DI)(R9*4)
	INCQ   R9
	BLSRL  R14, R14
	JNZ    more

next:
	ADDQ  $16, R15
	TESTQ CX, CX
	JNZ   round256
	VZEROUPPER
	MOVQ R9, n+56(FP)
	RET

DATA ·places+0(SB)/4, $0
DATA ·places+4(SB)/4, $1
DATA ·places+8(SB)/4, $2
DATA ·places+12(SB)/4, $3
DATA ·places+16(SB)/4, $4
DATA ·places+20(SB)/4, $5
DATA ·places+24(SB)/4, $6
DATA ·places+28(SB)/4, $7
DATA ·places+32(SB)/4, $8
DATA ·places+36(SB)/4, $9
DATA ·places+40(SB)/4, $10
DATA ·places+44(SB)/4, $11
DATA ·places+48(SB)/4, $12
DATA ·places+52(SB)/4, $13
DATA ·places+56(SB)/4, $14
DATA ·places+60(SB)/4, $15
GLOBL ·places(SB), RODATA|NOPTR, $64
