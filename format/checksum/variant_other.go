//go:build !amd64

package checksum

func variants() []variant { return []variant{scalar} }

// lanes: there are no kernels, so feed is never called.
func (v variant) lanes(Strong) int { return 0 }

func (v variant) feed(Strong, *[4 * maxLanes]uint32, *byte, *[maxLanes]int, int) {}
