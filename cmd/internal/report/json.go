package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// PrintJSON prints v as JSON of several lines, without a character that a terminal
// acts on: like Printable, but readers of JSON get the strings as they are.
func PrintJSON(w io.Writer, v any) error {
	return printJSON(w, v, "  ")
}

// PrintJSONLine is PrintJSON on one line.
func PrintJSONLine(w io.Writer, v any) error {
	return printJSON(w, v, "")
}

func printJSON(w io.Writer, v any, indent string) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escaped(text.Bytes()))
	return err
}

// escaped is JSON with what cannot be printed as \uNNNN. What ASCII has of that but for
// DEL is escaped by Go, and outside of strings there is none.
func escaped(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out = append(out, text[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[n:]
	}
	return out
}
