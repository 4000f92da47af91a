package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is s on one line and without characters that a terminal acts on:
// names and header values come from strangers. Bytes that are no UTF-8 are
// written as \xNN too.
func Printable(s string) string {
	var b strings.Builder
	s = strings.TrimSpace(s)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "\\x%02x", s[0])
		case r == '\n':
			b.WriteString("; ")
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\x%02x", r)
		}
		s = s[n:]
	}
	return b.String()
}
