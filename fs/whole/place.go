package whole

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"

	"github.com/zsyncfs/zsyncfs/blockstore"
)

// maxPlace is the longest URL that is a Place as it is, in bytes.
const maxPlace = 1024

// Place is where the store is told that the control file at u came from: its URL
// without credentials, and without a query, which in signed URLs changes every
// time. Mounts of the same URL use the same, and so share the version.
func Place(u *url.URL) blockstore.Place {
	if u == nil {
		return ""
	}
	text := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	if len(text) > maxPlace {
		sum := sha256.Sum256([]byte(text))
		text = hex.EncodeToString(sum[:])
	}
	return blockstore.Place(text)
}

// key is the store's name of the version.
func (f *Fill) key() blockstore.Key {
	return blockstore.HeaderKey(f.o.Control.Raw, f.h, f.place)
}
