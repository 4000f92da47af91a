package download

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/zsyncfs/zsyncfs/format"
)

// VerifyError: every block matches its checksum, and the whole is not the
// target. It stays in Path.part.
type VerifyError struct{ Err error }

func (e *VerifyError) Error() string { return fmt.Sprintf("verify the whole file: %v", e.Err) }
func (e *VerifyError) Unwrap() error { return e.Err }

// chanceBits is how many bits of checksums a block needs to be right beyond
// doubt, whatever the target's length.
const chanceBits = 128

// Doubtful says whether blocks of h's target may match their checksums by chance.
func Doubtful(h *format.Header) bool { return 8*h.StrongLength < chanceBits }

// verify checks the whole file.
func (d *Download) verify(ctx context.Context) error {
	err := d.verifyOnce(ctx)
	var wrong *format.FileHashError
	if !errors.As(err, &wrong) || !Doubtful(d.h) || d.local.Load() == 0 || d.o.Source == nil {
		return err
	}
	d.o.Warn(fmt.Errorf("%w; some blocks of seeds match by chance, so all of them are fetched", err))
	if err := d.refetch(ctx); err != nil {
		return err
	}
	return d.verifyOnce(ctx)
}

// refetch fetches what did not come over the network in this run.
func (d *Download) refetch(ctx context.Context) error {
	d.local.Store(0)
	d.sparse = false
	for id := range d.geo.All().End {
		if d.unfetched.Has(id) {
			d.missing.Add(id)
			d.unwritten.Add(id)
			d.dense.Add(id)
		}
	}
	d.follow = d.newFollower(ctx)
	return d.fetch(ctx)
}

// verifyOnce waits for the digests and compares them.
func (d *Download) verifyOnce(ctx context.Context) error {
	f := d.follow
	d.begin(Verifying, d.partPath(), d.geo.Length)
	f.wake()
	select {
	case <-f.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case f.err != nil:
		return f.err
	case f.pos < d.geo.Length: // it ended with ctx, and that says nothing of the file
		return ctx.Err()
	}
	err := f.v.Check()
	if err == nil || errors.Is(err, format.ErrNoFileHash) {
		return nil
	}
	return &VerifyError{err}
}

// upToDate says whether Path is the target already, as far as that is likely: a
// file of another time of change is rather scanned as a seed at once.
func (d *Download) upToDate(ctx context.Context) (bool, error) {
	info, err := os.Stat(d.o.Path)
	if err != nil || d.o.Force || len(d.h.FileHashes) == 0 || !info.ModTime().Equal(d.h.MTime) {
		return false, nil
	}
	return d.Current(ctx)
}

// Current says whether Path is the target, by the digests of the whole, or by
// every block where the control file has none. A Path that is not there, no
// regular file, or not to be read, is not the target. With Options.Packed, Path has to
// be the gzip file that was published, or PlainPath the target.
//
// Errors: ctx's.
func (d *Download) Current(ctx context.Context) (bool, error) {
	if d.o.Packed {
		if current, err := d.packedCurrent(ctx); current || err != nil {
			return current, err
		}
	}
	return d.isTarget(ctx, d.unpackedPath())
}

// isTarget says whether the file at path is the target.
func (d *Download) isTarget(ctx context.Context, path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != d.geo.Length {
		return false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, nil
	}
	defer f.Close()
	if len(d.h.FileHashes) == 0 {
		found, err := d.checkInPlace(ctx, Checking, f, info.Size())
		return err == nil && found.right == d.geo.BlockCount(), ctx.Err()
	}
	d.begin(Checking, path, d.geo.Length)
	v := d.h.NewFileVerifier()
	buf := make([]byte, 1<<20)
	for off := int64(0); off < d.geo.Length; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), d.geo.Length-off)], off)
		if n == 0 && err != nil {
			return false, nil
		}
		v.Write(buf[:n])
		off += int64(n)
		d.done.Store(off)
	}
	return v.Check() == nil, nil
}
