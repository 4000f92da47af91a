package format

import (
	"fmt"
	"strings"
	"time"
)

// zones are the names of zones that RFC 822 defines, with their offsets in hours.
var zones = map[string]string{
	"GMT": "+0000", "UTC": "+0000", "UT": "+0000", "Z": "+0000",
	"EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500",
	"MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700",
}

// maxUnix is the last second of the year 9999.
const maxUnix = 253402300799

// ParseMTime reads a value of "MTime" as writers have it: RFC 1123 with a
// numeric zone ("Sat, 03 Feb 2024 04:05:06 +0000") or with one of RFC 822's
// names, or seconds since 1970. The result is in UTC.
func ParseMTime(s string) (time.Time, error) {
	if n, err := parseNumber(s, maxUnix); err == nil {
		return time.Unix(n, 0).UTC(), nil
	}
	text := s
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		if offset, ok := zones[s[i+1:]]; ok {
			text = s[:i+1] + offset
		}
	}
	t, err := time.Parse("Mon, _2 Jan 2006 15:04:05 -0700", text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is not a time", quote(s))
	}
	return t.UTC(), nil
}

// FormatMTime is t as every reader of "MTime" takes it, in UTC and whole seconds.
func FormatMTime(t time.Time) string {
	return t.UTC().Format(time.RFC1123Z)
}
