package reuse

import (
	"context"
	"errors"
	"fmt"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/seed"
)

// Share says which versions of a store may have blocks in common.
type Share int

// The kinds of sharing.
const (
	// ShareOrigin: those of one origin.
	ShareOrigin Share = iota
	// ShareVerified: those of one origin, from versions whose whole agreed with
	// its digest.
	ShareVerified
	// ShareNone: none. Seeds are used all the same.
	ShareNone
)

// Relatives is how many versions are looked at, where no other number is given.
const Relatives = 8

// Options for New. Store, Control and Missing are needed.
type Options struct {
	Store *blockstore.Store
	// Version takes what is found; nil: nothing is kept, it is only counted.
	Version *blockstore.Version
	// Control is the control file; of its records those in Records count. Place is
	// where the store is told that it came from.
	Control *zsyncclient.Control
	Place   blockstore.Place
	// Records of all blocks. They must not change.
	Records []byte
	// Missing are the blocks to look for; those that were found are taken from it.
	Missing *seed.Missing
	// Share says whose blocks count. Default ShareOrigin.
	Share Share
	// Relatives is how many versions are looked at, at most. Default 8; none when
	// negative.
	Relatives int
	// Seeds are paths of files and folders.
	Seeds []string
	// Avoid are folders that seeds must not lie in, and that are left out of those: a
	// process must not read what it serves. It is asked when seeds are looked for.
	// Default: none.
	Avoid func() []string
	// Name is the target's file name, which tells whether it is compressed.
	// Default: the header's.
	Name string
	// Near is the byte of the target near which a scan begins, in bytes; asked for
	// when it does. Default: its start.
	Near func() int64
	// Workers is how many cores a scan uses at most. Default: all.
	Workers int
	// Begin is told of each scan before it begins: what is scanned, and how many
	// bytes that has. Progress is told how many of them were scanned; it may be
	// called by several goroutines. Found is told of blocks that are here now, maybe
	// by several goroutines. Warn is told what a person should know. Default:
	// nobody.
	Begin    func(name string, total int64)
	Progress func(scanned int64)
	Found    func(bytes int64)
	Warn     func(error)
}

func (o Options) withDefaults() Options {
	if o.Relatives == 0 {
		o.Relatives = Relatives
	}
	if o.Share == ShareNone || o.Store == nil {
		o.Relatives = -1
	}
	if o.Name == "" {
		o.Name = o.Control.Header.Filename
	}
	if o.Near == nil {
		o.Near = func() int64 { return 0 }
	}
	if o.Avoid == nil {
		o.Avoid = func() []string { return nil }
	}
	if o.Begin == nil {
		o.Begin = func(string, int64) {}
	}
	if o.Progress == nil {
		o.Progress = func(int64) {}
	}
	if o.Found == nil {
		o.Found = func(int64) {}
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}

// Finder looks for blocks of one version. It belongs to one goroutine.
type Finder struct {
	o        Options
	h        *format.Header
	geo      format.Geometry
	key      blockstore.Key
	index    *seed.Index // nil until it is needed
	leastRun int         // of blocks that count, of relatives
}

// New makes a Finder; nothing is opened.
func New(o Options) *Finder {
	o = o.withDefaults()
	h := o.Control.Header
	f := &Finder{o: o, h: h, geo: h.Geometry(), key: blockstore.HeaderKey(o.Control.Raw, h, o.Place)}
	f.leastRun = f.trustedRun()
	return f
}

// StoreError is a fault of the store that blocks were to be kept in: others of a
// search are only told.
type StoreError struct{ Err error }

func (e *StoreError) Error() string { return "keep blocks in the store: " + e.Err.Error() }
func (e *StoreError) Unwrap() error { return e.Err }

// Find looks for all that is missing, by the steps of the package's doc.
//
// Errors: *StoreError; seed.ErrRecords; ctx's. A relative or a seed that cannot be
// read is told to Options.Warn.
func (f *Finder) Find(ctx context.Context) error {
	relatives, err := f.open()
	if err != nil {
		return err
	}
	defer closeAll(relatives)
	for _, step := range []func(context.Context, []*relative) error{f.joinSamePlace, f.zeros, f.joinAnyPlace, f.scanRelatives, f.scanSeeds} {
		if f.o.Missing.Count() == 0 {
			break
		}
		if err := f.judge(ctx, step(ctx, relatives)); err != nil {
			return err
		}
	}
	f.keepSketch()
	return nil
}

// judge is err where it must end the search.
func (f *Finder) judge(ctx context.Context, err error) error {
	var store *StoreError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &store), errors.Is(err, seed.ErrRecords):
		return err
	}
	f.o.Warn(fmt.Errorf("seed not used: %w", err))
	return nil
}

// zeros takes the blocks of zeros.
func (f *Finder) zeros(context.Context, []*relative) error {
	index, err := f.makeIndex()
	if err != nil {
		return err
	}
	return index.Zeros(f.o.Missing, f.put)
}

func (f *Finder) makeIndex() (_ *seed.Index, err error) {
	if f.index == nil {
		f.index, err = seed.NewIndex(f.h, f.o.Records)
	}
	return f.index, err
}

// put copies blocks that were found into the version.
func (f *Finder) put(first format.BlockID, data []byte, _ int64) error {
	if f.o.Version != nil {
		if err := f.o.Version.Put(first, data); err != nil {
			return &StoreError{err}
		}
	}
	f.o.Found(int64(len(data)))
	return nil
}

// relative is a version that is open for a search.
type relative struct {
	version *blockstore.Version
	name    string
	alike   bool // by its sketch
	// looked are the blocks that were here when it was scanned, to the end; nil
	// without such a scan.
	looked []format.BlockRange
}

// open opens the relatives, those first that are the likeliest.
func (f *Finder) open() (out []*relative, err error) {
	keys, alike, err := f.candidates()
	if err != nil {
		return nil, err
	}
	for _, c := range keys {
		v, err := f.o.Store.Reopen(c.Key)
		if err != nil {
			continue // gone, or damaged, which the store tells
		}
		if !f.trusts(c, v) {
			v.Close()
			continue
		}
		v.Hold()
		out = append(out, &relative{version: v, name: string(c.Place), alike: alike[c.Key]})
	}
	return out, nil
}

func closeAll(all []*relative) {
	for _, r := range all {
		r.version.Release()
		r.version.Close()
	}
}
