//go:build !amd64

package seed

const nearLanes = false

var wideLanes, rollLanes bool // for tests, which set them

func nearKernel(_, _, _, _ *uint32, _ int, _, _, _, _ uint32) int { panic("no kernel") }

func rollKernel(_, _, _ *uint32, _, _ *byte, _ int, _ uint, _, _, _ uint32) int { panic("no kernel") }
