package fs

import "testing"

func TestEndsProcess(t *testing.T) {
	for name, c := range map[string]struct {
		status string
		want   bool
	}{
		"nothing pending":               {"SigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n", false},
		"SIGKILL for the thread":        {"SigPnd:\t0000000000000100\nShdPnd:\t0000000000000000\n", true},
		"SIGKILL for the process":       {"SigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\n", true},
		"SIGKILL goes before a mask":    {"SigPnd:\t0000000000000100\nSigIgn:\tffffffffffffffff\n", true},
		"SIGTERM by default":            {"ShdPnd:\t0000000000004000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n", true},
		"SIGTERM blocked, for signalfd": {"ShdPnd:\t0000000000004000\nSigBlk:\t0000000000004000\n", false},
		"SIGTERM caught":                {"ShdPnd:\t0000000000004000\nSigCgt:\t0000000000004000\n", false},
		"SIGINT ignored":                {"ShdPnd:\t0000000000000002\nSigIgn:\t0000000000000002\n", false},
		"SIGURG, a Go program's own":    {"SigPnd:\t0000000000400000\n", false},
		"SIGWINCH":                      {"ShdPnd:\t0000000008000000\n", false},
		"SIGCHLD":                       {"ShdPnd:\t0000000000010000\n", false},
		"not a status at all":           {"\x00\x01garbage", false},
	} {
		if got := endsProcess([]byte(c.status)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
