package making

import "strings"

const hexDigits = "0123456789ABCDEF"

// RelativeURL is the relative URL of a file called name beside the document
// that refers to it.
//
// Every byte is escaped but letters, digits and "-._~", more than RFC 3986
// asks for: zsync 0.6.2 pastes the URL into its request as it stands, a colon
// would make the part before it a scheme, and some servers take "+" for a
// space. Names need not be UTF-8.
func RelativeURL(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// RelativePathURL is RelativeURL for a path of several elements.
func RelativePathURL(path string) string {
	elements := strings.Split(path, "/")
	for i, e := range elements {
		elements[i] = RelativeURL(e)
	}
	return strings.Join(elements, "/")
}
