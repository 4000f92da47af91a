package checksum

// variant is a set of kernels. Every variant gives the same sums.
type variant int

const (
	scalar variant = iota
	avx2
	avx512
)

func (v variant) String() string { return [...]string{"scalar", "AVX2", "AVX512"}[v] }

// best is the variant in use: the last of those that the CPU and the operating
// system support. It never changes but in tests of this package.
var best = variants()[len(variants())-1]
