package whole

import (
	"context"
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/fs/target/reuse"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// MaxBlocks is the largest number of blocks of a target: the memory of a Fill
// grows with it, and a control file of a few bytes cannot claim more, since all
// of its records are needed. It is 512 GiB in blocks of 4 KiB.
const MaxBlocks = 1 << 27

// Options for New. Control is needed.
type Options struct {
	// Store is where the version is kept. Default: none, with which Run fails and
	// Plan looks at the seeds alone.
	Store *blockstore.Store
	// Control is the control file with all of its records. It must not change.
	Control *zsyncclient.Control
	// Again fetches Control once more, when its records are others than those in the store:
	// only when they are again is what the store has of them thrown away. Default: at once.
	Again func(context.Context) (*zsyncclient.Control, error)
	// Place is where the store is told that it came from (zsyncclient.Client.Place).
	Place blockstore.Place
	// Source is where missing blocks are fetched from. Default: nowhere.
	Source *zsyncclient.Source
	// Priority of the requests.
	Priority zsyncclient.Priority
	// Share says whose blocks count. Default those of one origin.
	Share reuse.Share
	// Seeds are paths of files and folders to look for blocks in, and Avoid folders that
	// are left out of those (reuse.Options).
	Seeds []string
	Avoid func() []string
	// Name is the target's file name, which tells whether it is compressed.
	// Default: the header's.
	Name string
	// Relatives is how many other versions of the store are scanned at most.
	// Default 8; none when negative.
	Relatives int
	// Workers is how many cores a scan uses at most. Default: all.
	Workers int
	// Step is told of each step just before it begins: Progress is still that of
	// the step before. It may call nothing but that. Default: nobody.
	Step func(download.Step)
	// Warn is told what a person should know and that ended nothing (a seed that
	// cannot be read ...). It may be called by several goroutines at once.
	// Default: nobody.
	Warn func(error)
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = o.Control.Header.Filename
	}
	if o.Step == nil {
		o.Step = func(download.Step) {}
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}

var (
	// ErrControl: Options.Control is not a whole control file.
	ErrControl = errors.New("not a whole control file")
	// ErrNoStore: Run was called without a store.
	ErrNoStore = errors.New("there is no store to keep blocks in")
	// ErrNotComplete: the version does not have every block.
	ErrNotComplete = errors.New("blocks are missing")
)

// RoomError: what is missing does not fit into the store, by its limits or its disk. It wraps
// blockstore.ErrFull.
type RoomError struct {
	// Dir is the store's folder.
	Dir string
	// Need and Free are bytes.
	Need, Free int64
}

func (e *RoomError) Error() string {
	return fmt.Sprintf("%d bytes are missing, and the block store in %s has room for %d", e.Need, e.Dir, e.Free)
}

func (e *RoomError) Unwrap() error { return blockstore.ErrFull }
