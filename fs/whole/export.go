package whole

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
	"github.com/zsyncfs/zsyncfs/zsyncclient/sparse"
)

// Export makes the file at path of the first length bytes of src, which
// Fill.OpenData or blockstore.Version.OpenData opened. It shares the blocks on
// the disk where the file system can (reflink); else it copies them, but not the
// holes. A file at path is replaced, in one step, when the new one is complete;
// its permissions stay. When path is a symbolic link, what it leads to is
// replaced. modified is the new file's time of change; zero: now. What a killed
// Export of the same path has left is removed.
//
// Errors: download.ErrNotRegular (wrapped); those of the files; ctx's. Then nothing has
// changed.
func Export(ctx context.Context, src *os.File, length int64, path string, modified time.Time) error {
	path, mode, err := exportPlace(path)
	if err != nil {
		return err
	}
	out, err := makeBeside(path, cmp.Or(mode, 0o666))
	if err != nil {
		return err
	}
	defer out.release() // when it has its name, or is gone
	err = fill(ctx, out.File, src, length)
	if err == nil && mode != 0 {
		// Nothing is kept of the file that is replaced, so the new one has to
		// outlast a power cut before it takes its name.
		err = errors.Join(out.Chmod(mode), out.Sync())
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil && !modified.IsZero() {
		err = os.Chtimes(out.Name(), time.Now(), modified)
	}
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		os.Remove(out.Name())
	}
	return err
}

// exportPlace is path without symbolic links at its end, and the permissions of
// the file that is there; 0 when there is none.
func exportPlace(path string) (string, fs.FileMode, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, fmt.Errorf("%s: %w", path, download.ErrNotRegular)
	}
	path, err = filepath.EvalSymlinks(path)
	return path, info.Mode().Perm(), err
}

// fill makes out, which is empty, the first length bytes of src.
func fill(ctx context.Context, out, src *os.File, length int64) error {
	if length == 0 {
		return nil
	}
	if clone(out, src) == nil {
		return out.Truncate(length)
	}
	// It has its full length from the start, so that what is not copied is a hole.
	if err := out.Truncate(length); err != nil {
		return err
	}
	for off := int64(0); off < length; {
		start, end := sparse.Next(src, off, length)
		if err := copyRange(ctx, out, src, start, end); err != nil {
			return err
		}
		off = end
	}
	return nil
}

// copyStep is how much is copied between two looks at ctx, in bytes.
const copyStep = 16 << 20

// copyRange copies bytes [off, end).
func copyRange(ctx context.Context, out, src *os.File, off, end int64) error {
	inKernel := true
	for off < end {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		want := min(end-off, copyStep)
		n := int64(0)
		if inKernel {
			n = copyInKernel(out, src, off, want)
			inKernel = n > 0
		}
		if n == 0 {
			var err error
			n, err = io.Copy(io.NewOffsetWriter(out, off), io.NewSectionReader(src, off, want))
			if err == nil && n < want {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return err
			}
		}
		off += n
	}
	return nil
}

// OpenData opens the file that holds the whole target, after Run succeeded. Blocks
// that lie in other versions' files are brought into it first
// (blockstore.Version.OpenData).
//
// Errors: ErrNotComplete; those of blockstore.Version.OpenData.
func (f *Fill) OpenData(ctx context.Context) (*blockstore.Data, error) {
	if f.version == nil {
		return nil, ErrNotComplete
	}
	data, err := f.version.OpenData(ctx)
	if errors.Is(err, blockstore.ErrUnknownBlock) {
		err = fmt.Errorf("%w: %w", ErrNotComplete, err)
	}
	return data, err
}
