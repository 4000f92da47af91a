package report

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// FuzzJSON: what is printed is read back as it was, and holds nothing for a terminal.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J\u009b\x7f\u202e", "\U000e0001 \u00ad\u2028", "a\nb\t\"\\<>&", "\xff\xc2", "ü 漢 🙂"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, print := range []func(*strings.Builder, any) error{
			func(b *strings.Builder, v any) error { return PrintJSON(b, v) },
			func(b *strings.Builder, v any) error { return PrintJSONLine(b, v) },
		} {
			var out strings.Builder
			if err := print(&out, map[string]string{"key": s}); err != nil {
				t.Fatal(err)
			}
			for _, r := range out.String() {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("%q has %q", out.String(), r)
				}
			}
			var back map[string]string
			want := string([]rune(s)) // U+FFFD for each byte that is none of UTF-8
			if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back["key"] != want {
				t.Errorf("%q is read back as %q, %v", s, back["key"], err)
			}
		}
	})
}
