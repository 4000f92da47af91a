package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/fs/whole"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
)

// ErrRoom says that the store has no room for what is wanted whole.
var ErrRoom = errors.New("the block store has no room")

// GetSpec is what to bring into the store as a whole. Paths are absolute.
type GetSpec struct {
	access.Access
	// Source is the URL of the control file.
	Source string
	// File is where the target goes; "": the name that the control file suggests,
	// in Dir. What is there is a seed, or the target already.
	File, Dir string
	// NoFile: the target goes to no file.
	NoFile bool
	// Pin keeps it in the store when room is made for others; nothing is made of it.
	Pin bool
	// Seeds are files to look for blocks in.
	Seeds []string
	// DryRun only finds out what would be fetched.
	DryRun bool
}

// Check finds what is wrong with a spec without a request.
func (s *GetSpec) Check() error {
	if _, err := access.ParseURL(s.Source); err != nil {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	return s.Access.Check()
}

// GetResult is how that ended.
type GetResult struct {
	// URL is the control file's, without what may be secret.
	URL string
	// File is where the target goes; "" for nowhere.
	File string
	// Length of the target, in bytes, and its time of change; zero: unknown.
	Length   int64
	Modified time.Time
	download.Result
}

// GetWatch is told how a Get goes. Its functions may be nil.
type GetWatch struct {
	// Step is told of each step just before it begins: the snapshot is still that
	// of the step before.
	Step func(download.Step)
	// Progress is told where to ask how far it is; the last one counts.
	Progress func(snapshot func() download.Progress)
	// Warn is told what a person should know. It may be called by several
	// goroutines at once.
	Warn func(error)
	// Avoid is reuse.Options.Avoid.
	Avoid func() []string
}

func (w GetWatch) withDefaults() GetWatch {
	if w.Step == nil {
		w.Step = func(download.Step) {}
	}
	if w.Progress == nil {
		w.Progress = func(func() download.Progress) {}
	}
	if w.Warn == nil {
		w.Warn = func(error) {}
	}
	return w
}

// GetUse takes what a Get brought: data holds the target in its first Length
// bytes, valid during the call; nil when the target is to go nowhere or is there
// already.
type GetUse func(r GetResult, data *os.File) error

// Get brings what spec names into store, which may be nil for a DryRun, and
// calls use with it.
//
// Errors: ErrSource; ErrRoom; download.ErrNotRegular for what is at File; those of
// zsyncclient, whole.Fill.Run and use.
func Get(ctx context.Context, store *blockstore.Store, spec GetSpec, userAgent string, w GetWatch, use GetUse) error {
	if err := spec.Check(); err != nil {
		return err
	}
	w = w.withDefaults()
	u, err := access.ParseURL(spec.Source)
	if err != nil {
		return err
	}
	client, err := spec.NewClient(ctx, userAgent, w.Warn, spec.Source)
	if err != nil {
		return err
	}
	defer client.Close()
	fetchControl := func(ctx context.Context) (*zsyncclient.Control, error) {
		return client.FetchWholeControl(ctx, u, zsyncclient.Validators{})
	}
	ctl, err := fetchControl(ctx)
	if err != nil {
		return err
	}
	r := GetResult{URL: zsyncclient.Redact(u), Length: ctl.Header.Length, Modified: ctl.Header.MTime}
	seeds := spec.Seeds
	if !spec.NoFile {
		r.File = spec.File
		if r.File == "" {
			r.File = filepath.Join(spec.Dir, download.TargetName(ctl.Header, spec.Source))
		}
		there, done, err := lookAt(ctx, ctl, r.File, w)
		if err != nil {
			return err
		}
		if done {
			r.Result = download.Result{Local: r.Length, UpToDate: true, Unverified: len(ctl.Header.FileHashes) == 0}
			return use(r, nil)
		}
		if there {
			seeds = append([]string{r.File}, seeds...)
		}
	}
	fill, err := whole.New(whole.Options{
		Store: store, Control: ctl, Again: fetchControl, Place: blockstore.Place(client.Place(ctl)), Source: client.NewSource(ctl, spec.MirrorURLs()), Seeds: seeds, Avoid: w.Avoid,
		Step: w.Step, Warn: w.Warn,
	})
	if err != nil {
		return err
	}
	w.Progress(fill.Progress)
	if spec.Pin {
		err = pin(ctx, store, fill, r, use)
	} else {
		err = runFill(ctx, fill, spec.DryRun, r, use)
	}
	if cerr := fill.Close(); err == nil {
		err = cerr
	}
	return err
}

// pin completes what fill was made for, and keeps it.
func pin(ctx context.Context, store *blockstore.Store, fill *whole.Fill, r GetResult, use GetUse) (err error) {
	if r.Result, err = fill.Run(ctx); errors.Is(err, blockstore.ErrFull) {
		err = fmt.Errorf("%w: %w", ErrRoom, err)
	}
	if err == nil {
		err = store.Keep(fill.Version().Key(), true)
	}
	if err == nil && fill.Version().IsNewest() {
		if err = fill.Version().Gather(ctx); errors.Is(err, blockstore.ErrInUse) {
			err = nil // it is whole all the same
		}
	}
	if err != nil {
		return err
	}
	return use(r, nil)
}

// runFill carries out what fill was made for.
func runFill(ctx context.Context, fill *whole.Fill, dry bool, r GetResult, use GetUse) (err error) {
	if dry {
		if r.Result, err = fill.Plan(ctx); err != nil {
			return err
		}
		return use(r, nil)
	}
	r.Result, err = fill.Run(ctx)
	if errors.Is(err, blockstore.ErrFull) {
		err = fmt.Errorf("%w: %w", ErrRoom, err)
	}
	if err != nil {
		return err
	}
	data, err := fill.OpenData(ctx)
	if err != nil {
		return err
	}
	defer data.Close()
	return use(r, data.File)
}

// lookAt says whether there is a file at path, and whether it is the target.
func lookAt(ctx context.Context, ctl *zsyncclient.Control, path string, w GetWatch) (there, done bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	if !info.Mode().IsRegular() {
		return false, false, fmt.Errorf("%s: %w", path, download.ErrNotRegular)
	}
	d, err := download.New(download.Options{Header: ctl.Header, Records: ctl.Records, Path: path, Step: w.Step})
	if err != nil {
		return false, false, err
	}
	w.Progress(d.Progress)
	done, err = d.Current(ctx)
	return true, done, err
}
