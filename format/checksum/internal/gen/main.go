// Command gen writes the assembly kernels of package checksum and their Go
// declarations; "go generate" there runs it. Everything here runs when the
// kernels are made, and nothing when they are used.
//
// A kernel is written once, against a width, and made for AVX2 and AVX-512.
// The registers are chosen by hand: a kernel uses nearly all of them, and each
// file says which is which.
package main

import "github.com/mmcloughlin/avo/build"

func main() {
	build.ConstraintExpr("amd64")
	for _, w := range []width{avx2, avx512} {
		for _, a := range []algorithm{md4, md5} {
			sumLanes(w, a)
		}
		rsum(w)
	}
	rsumOffsets()
	build.Generate()
}
