package making

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// TempPattern is the pattern of the names of files that are being written. It
// starts with a dot, so that nothing takes such a file for part of an archive.
const TempPattern = ".zsyncfs-*.tmp"

// Save writes a file so that path names the old file or the whole new one at
// every moment, also after a crash. Its permissions are mode's. When write
// fails, path is untouched and its error is returned as it is.
func Save(path string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), TempPattern)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 256<<10)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Chmod(mode.Perm()); err != nil {
		return err
	}
	// Without this a power failure can leave an empty file under the new name.
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
