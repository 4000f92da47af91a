// Command gen writes the assembly kernels of package checksum.
package main

import "github.com/mmcloughlin/avo/build"

func main() {
	build.Package("github.com/zsyncfs/zsyncfs/format/checksum")
	build.ConstraintExpr("amd64")
	build.Generate()
}
