#include "textflag.h"

// Vector forms (AVX2, eight windows at a time) of halve and halveGrad in halve.go, of
// the same bits. Go's assembler writes operands in the reverse of the processor's
// order: the destination is the last, and VCMPPS $greater, a, b, c is c = b > a.
//
// A row of n windows is cut into blocks of 4 to 8. Each is computed as eight: its first
// four and its last four, which may overlap, and then are computed twice alike. Shuffles
// work on halves of a register, so inside a block windows are in the order 0 1 4 5 2 3
// 6 7, and VPERMPD $0xd8 leads to that order and back.

#define unordered 0x03
#define notLessOrEqual 0x16
#define greater 0x1e

DATA ones<>+0(SB)/8, $0x3f8000003f800000
DATA ones<>+8(SB)/8, $0x3f8000003f800000
DATA ones<>+16(SB)/8, $0x3f8000003f800000
DATA ones<>+24(SB)/8, $0x3f8000003f800000
GLOBL ones<>(SB), RODATA|NOPTR, $32

// MAX sets M to the larger of X and Y as Go's max: NaN if one of them is, and +0 of
// zeros. The processor's gives the second operand in both cases. T is lost.
#define MAX(X, Y, M, T) \
	VMAXPS Y, X, M               \
	VMAXPS X, Y, T               \
	VANDPS T, M, M               \
	VCMPPS $unordered, Y, X, T   \
	VORPS  T, M, M

// func halveVectors(x, y *float32, rows, width, out int, keep uint32)
TEXT ·halveVectors(SB), NOSPLIT, $0-44
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DI
	MOVQ rows+16(FP), CX
	MOVQ width+24(FP), DX
	MOVL keep+40(FP), AX
	VMOVD AX, X14
	VPBROADCASTD X14, Y14
	VXORPS Y15, Y15, Y15
	SHLQ $2, DX                    // bytes of a row

halveRow:
	MOVQ SI, R11                   // the upper row, and R12 the lower
	LEAQ (SI)(DX*1), R12
	MOVQ out+32(FP), R8            // windows left in the row

halveBlock:
	MOVQ R8, R9                    // R9: windows of the block
	CMPQ R9, $8
	JLE  halveSized
	SUBQ $4, R9
	CMPQ R9, $8
	JLE  halveSized
	MOVQ $8, R9

halveSized:
	SUBQ R9, R8
	LEAQ -4(R9), R10               // where the last four begin
	VMOVUPS (R11), Y0
	VMOVUPS (R11)(R10*8), Y1
	VMOVUPS (R12), Y2
	VMOVUPS (R12)(R10*8), Y3
	MAX(Y0, Y2, Y4, Y6)
	MAX(Y1, Y3, Y5, Y7)
	VSHUFPS $0x88, Y5, Y4, Y0      // the left ones
	VSHUFPS $0xdd, Y5, Y4, Y1      // the right ones
	MAX(Y0, Y1, Y2, Y3)
	VCMPPS  $notLessOrEqual, Y15, Y2, Y3
	VORPS   Y14, Y3, Y3
	VANDPS  Y3, Y2, Y2
	VPERMPD $0xd8, Y2, Y2
	VMOVUPS X2, (DI)
	VEXTRACTF128 $1, Y2, (DI)(R10*4)
	LEAQ (R11)(R9*8), R11
	LEAQ (R12)(R9*8), R12
	LEAQ (DI)(R9*4), DI
	TESTQ R8, R8
	JNE  halveBlock

	LEAQ (SI)(DX*2), SI
	DECQ CX
	JNE  halveRow
	VZEROUPPER
	RET

// func halveGradVectors(x, dx, dz *float32, rows, width, out int)
TEXT ·halveGradVectors(SB), NOSPLIT, $0-48
	MOVQ x+0(FP), SI
	MOVQ dx+8(FP), DI
	MOVQ dz+16(FP), BX
	MOVQ rows+24(FP), CX
	MOVQ width+32(FP), DX
	VMOVUPS ones<>(SB), Y15
	SHLQ $2, DX                    // bytes of a row

gradRow:
	XORQ AX, AX                    // bytes from the beginning of the row
	LEAQ (SI)(DX*1), R12           // the lower row
	LEAQ (DI)(DX*1), R13           // and where its gradient goes
	MOVQ out+40(FP), R8            // windows left in the row

gradBlock:
	MOVQ R8, R9                    // R9: windows of the block
	CMPQ R9, $8
	JLE  gradSized
	SUBQ $4, R9
	CMPQ R9, $8
	JLE  gradSized
	MOVQ $8, R9

gradSized:
	SUBQ R9, R8
	LEAQ -4(R9), R10               // where the last four begin
	LEAQ (AX)(R10*8), R11
	VMOVUPS (BX), X14
	VINSERTF128 $1, (BX)(R10*4), Y14, Y14
	VPERMPD $0xd8, Y14, Y14        // Y14: the gradients
	VMOVUPS (SI)(AX*1), Y4
	VMOVUPS (SI)(R11*1), Y5
	VMOVUPS (R12)(AX*1), Y6
	VMOVUPS (R12)(R11*1), Y7
	VSHUFPS $0x88, Y5, Y4, Y0      // Y0: upper left
	VSHUFPS $0xdd, Y5, Y4, Y1      // Y1: upper right
	VSHUFPS $0x88, Y7, Y6, Y2      // Y2: lower left
	VSHUFPS $0xdd, Y7, Y6, Y3      // Y3: lower right
	VCMPPS  $greater, Y0, Y1, Y4   // Y4: right in the upper row
	VCMPPS  $greater, Y2, Y3, Y5   // Y5: right in the lower row
	MAX(Y0, Y1, Y6, Y8)
	MAX(Y2, Y3, Y7, Y8)
	VCMPPS  $greater, Y6, Y7, Y6   // Y6: below
	VANDNPS Y15, Y6, Y0            // one if above
	VANDPS  Y15, Y6, Y2            // one if below
	VANDPS  Y4, Y0, Y1
	VANDNPS Y0, Y4, Y0
	VANDPS  Y5, Y2, Y3
	VANDNPS Y2, Y5, Y2
	VMULPS  Y14, Y0, Y0
	VMULPS  Y14, Y1, Y1
	VMULPS  Y14, Y2, Y2
	VMULPS  Y14, Y3, Y3
	VUNPCKLPS Y1, Y0, Y4
	VUNPCKHPS Y1, Y0, Y5
	VUNPCKLPS Y3, Y2, Y6
	VUNPCKHPS Y3, Y2, Y7
	VMOVUPS Y4, (DI)(AX*1)
	VMOVUPS Y5, (DI)(R11*1)
	VMOVUPS Y6, (R13)(AX*1)
	VMOVUPS Y7, (R13)(R11*1)
	LEAQ (AX)(R9*8), AX
	LEAQ (BX)(R9*4), BX
	TESTQ R8, R8
	JNE  gradBlock

	CMPQ AX, DX                    // a last column of no window
	JEQ  gradNext
	MOVL $0, (DI)(AX*1)
	MOVL $0, (R13)(AX*1)

gradNext:
	LEAQ (SI)(DX*2), SI
	LEAQ (DI)(DX*2), DI
	DECQ CX
	JNE  gradRow
	VZEROUPPER
	RET
