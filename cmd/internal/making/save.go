package making

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// TempPattern is the pattern of the names of files that are being written. It
// starts with a dot, so that nothing takes such a file for part of an archive.
const TempPattern = ".zsyncfs-*.tmp"

// Save writes a file so that path names the old file or the whole new one at
// every moment, also after a crash. Its permissions are mode's; with mode 0
// those of the file that it replaces, or those that any new file gets. When
// write fails, path is untouched and its error is returned as it is.
func Save(path string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	f, err := createTemp(filepath.Dir(path), mode)
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
	if err := setMode(f, path, mode); err != nil {
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

// createTemp makes a new file that nobody else can read, but with mode 0 one
// with the permissions of any new file.
func createTemp(dir string, mode fs.FileMode) (*os.File, error) {
	if mode != 0 {
		return os.CreateTemp(dir, TempPattern)
	}
	for try := 0; ; try++ {
		name := strings.Replace(TempPattern, "*", strconv.FormatUint(rand.Uint64(), 36), 1)
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) || try == 100 {
			return f, err
		}
	}
}

// setMode gives f, which is to replace path, its permissions.
func setMode(f *os.File, path string, mode fs.FileMode) error {
	if mode == 0 {
		info, err := os.Stat(path)
		if err != nil { // there is none
			return nil
		}
		mode = info.Mode()
	}
	return f.Chmod(mode.Perm())
}
