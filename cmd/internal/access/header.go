package access

import (
	"errors"
	"net/http"
	"strings"
)

// errHeader does not show the line: there may be a password in it.
var errHeader = errors.New("a header is not of the form \"Name: value\"")

// ParseHeader turns lines "Name: value" into a header.
func ParseHeader(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, errHeader
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}
