package bytesize

import "testing"

func TestSet(t *testing.T) {
	for text, want := range map[string]Size{
		"4096": 4096, "4K": 4096, "4k": 4096, "64KiB": 65536, "1M": 1 << 20, "0": 0,
		"": -1, "-1": -1, "K": -1, "9999999999T": -1, "1.5M": -1, "4X": -1,
	} {
		var s Size
		err := s.Set(text)
		if (err != nil) != (want < 0) || err == nil && s != want {
			t.Errorf("%q: %d, %v", text, s, err)
		}
	}
}

func TestCheckBlock(t *testing.T) {
	for size, good := range map[Size]bool{0: true, 512: true, 4096: true, 1 << 24: true, 256: false, 1000: false, 1 << 25: false, -512: false} {
		if err := size.CheckBlock(); (err == nil) != good {
			t.Errorf("%d: %v", size, err)
		}
	}
}
