package daemon

import (
	"errors"
	"path/filepath"

	"github.com/zsyncfs/zsyncfs/blockstore"
)

// logName is the log of a daemon in the background, in the store's folder.
const logName = "daemon.log"

// beside are what else than the store lies in its folder: the files of a daemon, and
// the control files that "zsyncfs serve" makes, which are under the default one.
var beside = []string{logName, logName + ".1", socketName, "controls", tokenName, tokenName + ".new"}

// LogPath is the log of a daemon in the background of the store in dir.
func LogPath(dir string) string { return filepath.Join(dir, logName) }

// OpenStore opens the store in dir with the default limits. warn is told of damage that
// was healed. Errors: those of blockstore.Open.
func OpenStore(dir string, warn func(error)) (*blockstore.Store, error) {
	return openStore(dir, blockstore.Options{Warn: warn})
}

func openStore(dir string, o blockstore.Options) (*blockstore.Store, error) {
	o.Beside = beside
	store, err := blockstore.Open(dir, o)
	if err != nil {
		return nil, err
	}
	if err := SetLimits(store, nil, nil); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}
