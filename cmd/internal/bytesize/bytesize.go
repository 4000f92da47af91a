// Package bytesize is the command line's numbers of bytes: "4096", "64K". Of
// the project it imports format, for the bounds of block sizes, and report.
package bytesize

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a flag's number of bytes, with an optional suffix K, M, G or T
// (powers of 1024). It is a pflag.Value.
type Size int64

// String is the number, and "" for 0, so that help shows no default.
func (s *Size) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type is the placeholder in the help.
func (s *Size) Type() string { return "SIZE" }

// Set reads "4096", "4K", "4k" and "4KiB".
func (s *Size) Set(text string) error {
	digits := strings.TrimRight(strings.ToUpper(text), "IB")
	shift := 0
	if n := len(digits); n > 0 {
		if i := strings.IndexByte("KMGT", digits[n-1]); i >= 0 {
			digits, shift = digits[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)>>shift {
		return fmt.Errorf("%q is not a number of bytes such as 4096 or 64K", text)
	}
	*s = Size(n << shift)
	return nil
}
