//go:build !amd64

package checksum

// There are no kernels, so rsum and roll are not called.

func variants() []variant { return []variant{scalar} }

func (v variant) lanes(s Strong) int { return goLanes(s) }

func (v variant) enough(Strong, int) variant { return v }

func (v variant) feed(_ Strong, state *[4 * maxLanes]uint32, data []byte, at *[maxLanes]int, count int) {
	md4Go(state, data, at, count)
}

func (v variant) rsum(*byte, int) Rsum { return Rsum{} }

func (v variant) rolls() bool { return false }

func (v variant) roll(dst *uint32, out, in *byte, stride, count int, shift uint, start *[stretches][4]uint32) {
}
