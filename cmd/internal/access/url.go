package access

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// IsURL says whether text is to be fetched: everything else is a path. What is
// to be fetched may still be no good URL, but it names no file either.
func IsURL(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// ParseURL reads an http or https URL with a host. Errors do not show what may
// be a password, and so not the parser's own, which quotes parts.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s is not a URL", shown(text))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%s is not an http or https URL", shown(text))
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s names no host", shown(text))
	}
	return u, nil
}

// ParseURLs are the URLs among texts, as ParseURL reads them.
func ParseURLs(texts []string) []*url.URL {
	var list []*url.URL
	for _, text := range texts {
		if u, err := ParseURL(text); err == nil {
			list = append(list, u)
		}
	}
	return list
}

// shown is a URL as errors show it: with a login not at all, since a URL that
// cannot be parsed does not tell where that ends, and without its query.
func shown(text string) string {
	if strings.Contains(text, "@") {
		return "it"
	}
	text, _, _ = strings.Cut(text, "?")
	return strconv.Quote(text)
}
