//go:build !amd64

package checksum

// There are no kernels, so nothing but variants, lanes and rolls is called.

func variants() []variant { return []variant{scalar} }

func (v variant) lanes(Strong) int { return 0 }

func (v variant) enough(Strong, int) variant { return v }

func (v variant) feed(Strong, *[4 * maxLanes]uint32, *byte, *[maxLanes]int, int) {}

func (v variant) rsum(*byte, int) Rsum { return Rsum{} }

func (v variant) rolls() bool { return false }

func (v variant) roll(dst *uint32, out, in *byte, stride, count int, shift uint, start *[stretches][4]uint32) {
}
