package zsyncclient

import (
	"net/http"
	"strings"
	"time"
)

// Validators identify one state of a remote document, for conditional requests. JSON-encodable.
type Validators struct {
	// ETag and LastModified are as the server sent them; "" when it did not.
	ETag         string
	LastModified string
	// Length is the document's, in bytes; -1 unknown.
	Length int64
}

// ModifiedSince are validators that hold while a document was not changed after t,
// for callers that know no more of their copy than its time.
func ModifiedSince(t time.Time) Validators {
	return Validators{LastModified: t.UTC().Format(http.TimeFormat), Length: -1}
}

// maxValidator bounds a validator that is kept, in bytes.
const maxValidator = 256

// validatorsOf reads the validators of a header; one that is no plain text of
// the right form is dropped, since it is stored and sent back.
func validatorsOf(h http.Header, length int64) Validators {
	v := Validators{Length: length}
	etag := h.Get("ETag")
	if strongETag(strings.TrimPrefix(etag, "W/")) != "" && len(etag) <= maxValidator && isPlain(etag) {
		v.ETag = etag
	}
	modified := h.Get("Last-Modified")
	if _, err := http.ParseTime(modified); err == nil && len(modified) <= maxValidator && isPlain(modified) {
		v.LastModified = modified
	}
	return v
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// conditional sets the headers that ask for an answer only if v no longer holds.
func (v Validators) conditional(h http.Header) {
	if v.ETag != "" {
		h.Set("If-None-Match", v.ETag)
	}
	if v.LastModified != "" {
		h.Set("If-Modified-Since", v.LastModified)
	}
}

func (v Validators) empty() bool { return v.ETag == "" && v.LastModified == "" }

// contradicts says whether now cannot be the state that v is.
func (v Validators) contradicts(now Validators) bool {
	if v.Length >= 0 && now.Length >= 0 && v.Length != now.Length {
		return true
	}
	if v.ETag != "" && now.ETag != "" {
		return strings.TrimPrefix(v.ETag, "W/") != strings.TrimPrefix(now.ETag, "W/")
	}
	return v.LastModified != "" && now.LastModified != "" && v.LastModified != now.LastModified
}

// proves says whether now is surely the state that v is.
func (v Validators) proves(now Validators) bool {
	return strongETag(v.ETag) != "" && v.ETag == now.ETag && !v.contradicts(now)
}
