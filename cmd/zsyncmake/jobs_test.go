package main

import "testing"

func TestOutputKey(t *testing.T) {
	for _, tt := range []struct {
		goos, a, b string
		same       bool
	}{
		{"linux", "a.zsync", "./a.zsync", true},
		{"linux", "a.zsync", "A.zsync", false},
		{"freebsd", "a.zsync", "A.zsync", false},
		{"windows", "a.zsync", "./A.ZSYNC", true},
		{"darwin", "ä.zsync", "Ä.zsync", true},
		{"darwin", "a.zsync", "b.zsync", false},
	} {
		if same := outputKey(tt.goos, tt.a) == outputKey(tt.goos, tt.b); same != tt.same {
			t.Errorf("%s: %q and %q: %v", tt.goos, tt.a, tt.b, same)
		}
	}
}
