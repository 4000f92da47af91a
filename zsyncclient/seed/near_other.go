//go:build !amd64

package seed

const nearLanes = false

var wideLanes bool // for tests, which set it

func nearKernel(_, _, _, _ *uint32, _ int, _, _, _, _ uint32) int { panic("no kernel") }
