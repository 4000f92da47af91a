//go:build !amd64

package seed

const nearLanes = false

func nearAVX2(_, _, _, _ *uint32, _ int, _, _, _, _ uint32) int { panic("no kernel") }
