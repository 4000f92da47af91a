#include "textflag.h"

// LOAD rolls a stretch of 32 offsets: Z8 are the bytes that leave, times the block
// size, and Z9 those that enter less those that leave, in words.
#define LOAD \
	VPMOVZXBW (SI), Z8 \
	VPMOVZXBW (DX), Z9 \
	VPSUBW    Z8, Z9, Z9 \
	VPSLLW    X23, Z8, Z8

// PREFIX adds to each word of R those before it in its part of 128 bits.
#define PREFIX(R, T) \
	VPSLLDQ $2, R, T \
	VPADDW  T, R, R \
	VPSLLDQ $4, R, T \
	VPADDW  T, R, R \
	VPSLLDQ $8, R, T \
	VPADDW  T, R, R

// ACROSS adds to the words of R, after PREFIX, those of the parts before, and CARRY,
// which all words of the stretch before have added up to. It then is the last word.
#define ACROSS(R, T, U, V, CARRY) \
	VPERMW.Z R, Z19, K2, T \
	VPERMW.Z R, Z20, K3, U \
	VPERMW.Z R, Z21, K4, V \
	VPADDW   CARRY, R, R \
	VPADDW   U, T, T \
	VPADDW   V, R, R \
	VPADDW   T, R, R \
	VPERMW   R, Z22, CARRY

// KEYS sets KEY to 16 keys, of A in Z9 and B in Z11; SELECT says of which words.
#define KEYS(SELECT, KEY) \
	VMOVDQA32 SELECT, KEY \
	VPERMI2W  Z9, Z11, KEY \
	VPANDD    Z0, KEY, KEY

// HASH sets H to the hashes of 16 keys, and stores the indexes of their words.
#define HASH(OFF, KEY, H) \
	VPMULLD   Z1, KEY, H \
	VPSRLD    $14, H, Z8 \
	VPANDD    Z3, Z8, Z8 \
	VMOVDQA32 Z8, (OFF)(R8)

// FOUR puts into X the words of four keys, whose indexes are at OFF(BX).
#define FOUR(OFF, X) \
	MOVL    (OFF)(BX), R10 \
	MOVL    (OFF+4)(BX), R11 \
	MOVL    (OFF+8)(BX), R12 \
	MOVL    (OFF+12)(BX), R13 \
	VMOVD   (AX)(R10*4), X \
	VPINSRD $1, (AX)(R11*4), X, X \
	VPINSRD $2, (AX)(R12*4), X, X \
	VPINSRD $3, (AX)(R13*4), X, X

// TEST tests the bits of 16 keys, whose hashes are H and whose words are in X12 to
// X15, and stores the places and the keys of those that have them; Z17 are all
// their places. It stores 16 of each, and the next ones overwrite those that are none.
#define TEST(H, KEY) \
	VINSERTI128   $1, X13, Y12, Y12 \
	VINSERTI128   $1, X15, Y14, Y14 \
	VINSERTI64X4  $1, Y14, Z12, Z12 \
	VPSRLD        $3, H, Z13 \
	VPSRLD        $6, H, Z14 \
	VPSRLD        $9, H, Z15 \
	VPRORVD       Z13, Z12, Z13 \
	VPRORVD       Z14, Z12, Z14 \
	VPRORVD       Z15, Z12, Z15 \
	VPTERNLOGD    $0x80, Z13, Z14, Z15 \
	VPTESTMD      Z16, Z15, K1 \
	VPCOMPRESSD.Z Z17, K1, Z13 \
	VPCOMPRESSD.Z KEY, K1, Z14 \
	VMOVDQU32     Z13, (DI)(R9*4) \
	VMOVDQU32     Z14, (R15)(R9*4) \
	KMOVW         K1, R10 \
	POPCNTL       R10, R10 \
	ADDQ          R10, R9 \
	VPADDD        Z18, Z17, Z17

// func rollAVX512(words, dst, keys *uint32, out, in *byte, groups int, shift uint, start, mask, factor, last uint32) (n int)
//
// One group of offsets a round. Each waits for the second cache to give it a line
// with its word; the keys of the next round are computed meanwhile, between the
// loads. Their indexes pass through the stack, a round ahead: what is loaded right
// after it was stored comes late.
TEXT ·rollAVX512(SB), 0, $320-80
	MOVQ         words+0(FP), AX
	MOVQ         dst+8(FP), DI
	MOVQ         keys+16(FP), R15
	MOVQ         out+24(FP), SI
	MOVQ         in+32(FP), DX
	MOVQ         groups+40(FP), CX
	MOVQ         shift+48(FP), R10
	VMOVQ        R10, X23
	MOVL         start+56(FP), R10
	VPBROADCASTW R10, Z25            // B of the offset before
	SHRL         $16, R10
	VPBROADCASTW R10, Z24            // A of it
	MOVL         mask+60(FP), R10
	VPBROADCASTD R10, Z0
	MOVL         factor+64(FP), R10
	VPBROADCASTD R10, Z1
	MOVL         last+68(FP), R10
	VPBROADCASTD R10, Z3
	MOVL         $1, R10
	VPBROADCASTD R10, Z16
	VMOVDQU32    ·places(SB), Z10
	VPADDD       Z16, Z10, Z17       // the first place is 1
	MOVL         $16, R10
	VPBROADCASTD R10, Z18

	// The last words of the four parts, and which parts are behind the first three.
	MOVL         $7, R10
	VPBROADCASTW R10, Z19
	MOVL         $15, R10
	VPBROADCASTW R10, Z20
	MOVL         $23, R10
	VPBROADCASTW R10, Z21
	MOVL         $31, R10
	VPBROADCASTW R10, Z22
	MOVL         $0xffffff00, R10
	KMOVD        R10, K2
	MOVL         $0xffff0000, R10
	KMOVD        R10, K3
	MOVL         $0xff000000, R10
	KMOVD        R10, K4

	// Word i of B and word i of A, which is 32 further on, side by side: the lower
	// 16 and the upper 16 of them.
	VPSLLD       $16, Z10, Z26
	VPORD        Z10, Z26, Z26
	MOVL         $0x00200000, R10
	VPBROADCASTD R10, Z27
	VPORD        Z27, Z26, Z26
	MOVL         $0x00100010, R10
	VPBROADCASTD R10, Z27
	VPADDD       Z26, Z27, Z27

	LEAQ 63(SP), BX
	ANDQ $~63, BX    // a store across two lines is slower
	LEAQ 128(BX), R8
	XORQ R9, R9
	LOAD
	PREFIX(Z9, Z10)
	ACROSS(Z9, Z10, Z11, Z2, Z24)
	VPSUBW Z8, Z9, Z11
	PREFIX(Z11, Z10)
	ACROSS(Z11, Z10, Z8, Z2, Z25)
	KEYS(Z26, Z4)
	KEYS(Z27, Z5)
	HASH(0, Z4, Z28)
	HASH(64, Z5, Z29)

round:
	VMOVDQA32 Z4, Z6
	VMOVDQA32 Z5, Z7
	VMOVDQA32 Z28, Z30
	VMOVDQA32 Z29, Z31

	// In the last round the bytes are the same again, for nothing.
	MOVL    $32, R10
	XORL    R11, R11
	DECQ    CX
	CMOVQEQ R11, R10
	ADDQ    R10, SI
	ADDQ    R10, DX
	XCHGQ   BX, R8

	LOAD
	FOUR(0, X12)
	PREFIX(Z9, Z10)
	FOUR(16, X13)
	ACROSS(Z9, Z10, Z11, Z2, Z24)
	FOUR(32, X14)
	VPSUBW Z8, Z9, Z11
	PREFIX(Z11, Z10)
	FOUR(48, X15)
	ACROSS(Z11, Z10, Z8, Z2, Z25)
	TEST(Z30, Z6)
	FOUR(64, X12)
	KEYS(Z26, Z4)
	KEYS(Z27, Z5)
	FOUR(80, X13)
	HASH(0, Z4, Z28)
	FOUR(96, X14)
	HASH(64, Z5, Z29)
	FOUR(112, X15)
	TEST(Z31, Z7)
	TESTQ CX, CX
	JNZ   round
	VZEROUPPER
	MOVQ  R9, n+72(FP)
	RET
