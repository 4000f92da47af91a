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
	// Young: the document was changed just before the server answered. Servers
	// make both validators of the time of change in seconds (nginx: and of the
	// length), so another change within the same second may leave them as they are.
	Young bool `json:",omitempty"`
}

// youth is how long after its change a document is young. With one clock two
// seconds would do: the kernel's time of a file is a little behind.
const youth = 5 * time.Second

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
	if changed, err := http.ParseTime(modified); err == nil && len(modified) <= maxValidator && isPlain(modified) {
		v.LastModified = modified
		now, err := http.ParseTime(h.Get("Date"))
		v.Young = err != nil || now.Sub(changed) < youth
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
// Young validators set none: they may hold although the document is another.
func (v Validators) conditional(h http.Header) {
	if v.Young {
		return
	}
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
	return !v.Young && strongETag(v.ETag) != "" && v.ETag == now.ETag && !v.contradicts(now)
}

// repeats says whether now has one of v's validators, so that it tells something if it
// does not contradict v.
func (v Validators) repeats(now Validators) bool {
	return v.ETag != "" && now.ETag != "" || v.LastModified != "" && now.LastModified != ""
}

// certain says whether a document that repeats v and does not contradict it is surely
// the one that had v.
func (v Validators) certain() bool { return !v.Young && !v.empty() }
