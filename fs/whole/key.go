package whole

import "github.com/zsyncfs/zsyncfs/blockstore"

// key is the store's name of the version.
func (f *Fill) key() blockstore.Key {
	return blockstore.HeaderKey(f.o.Control.Raw, f.h, f.place)
}
