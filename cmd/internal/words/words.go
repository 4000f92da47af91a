// Package words says numbers and times as people read them.
package words

import (
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
)

// Size is a number of bytes in units of 1024: "1.5 GiB". Less than 0 is 0.
func Size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// Since is how long ago t was, in full seconds: "1m3s".
func Since(t time.Time) string { return time.Since(t).Round(time.Second).String() }

// Count is a number of things: "1 block", "2 blocks".
func Count(n int64, thing string) string { return english.Plural(int(n), thing, "") }
