package blockstore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Layout is the version of the folder's layout that this program writes, and
// the newest that it reads.
const Layout = 1

const (
	lockName      = "lock"
	formatName    = "format"
	indexName     = "index"
	versionsName  = "versions"
	controlName   = "control"
	dataName      = "data"
	knownName     = "known"
	metaName      = "meta"
	metaTempName  = "meta.new"
	placeName     = "place"
	sharedName    = "shared"
	sharedTemp    = "shared.new"
	provisionalID = "p-"
	condemnedID   = "x-"
)

// maxPlace bounds a Place, in bytes.
const maxPlace = 4096

// takeLock makes this process the owner of the store in dir. The lock ends
// with the process, however that ends.
func takeLock(dir string) (*os.File, error) {
	f, err := OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, writeError("lock", err)
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		if !lockedByOther(err) {
			return nil, fmt.Errorf("blockstore: lock %s: %w", dir, err)
		}
		text, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, &LockedError{Dir: dir, PID: max(pid, 0)}
	}
	// The number is only for the message above; a full disk must not keep the
	// store from opening.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// makeVersionsDir makes the folder of versions where there is none. A link would have
// the blocks of the store lie where it leads. Errors: ErrIrregular (wrapped).
func makeVersionsDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrExist):
		return writeError("make the folder of versions", err)
	}
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "open", Path: dir, Err: ErrIrregular}
	}
	return err
}

// formatLine is the content of the file "format" of this layout. Its checksum
// tells a newer layout from a damaged file.
func formatLine(layout int) string {
	text := "zsyncfs store, layout " + strconv.Itoa(layout)
	return fmt.Sprintf("%s, crc32c %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
}

// parseFormat is the layout in a format file; false when it is damaged.
func parseFormat(p []byte) (int, bool) {
	text, _, found := strings.Cut(string(p), ", crc32c ")
	number, prefix := strings.CutPrefix(text, "zsyncfs store, layout ")
	layout, err := strconv.Atoi(number)
	if !found || !prefix || err != nil || layout < 1 || formatLine(layout) != string(p) {
		return 0, false
	}
	return layout, true
}

// checkFormat makes sure that dir is a store of a known layout, or can become
// one. A format file that is lost or damaged is written again, for every other
// file tells by itself whether it is right.
func checkFormat(dir string, beside []string, warn func(error)) error {
	state, err := readFormat(dir, beside)
	if err != nil || state == formatGood {
		return err
	}
	path := filepath.Join(dir, formatName)
	if state == formatLost {
		warn(fmt.Errorf("blockstore: the file %q was lost or damaged and is written again", formatName))
	}
	if err := replaceFile(path, path+".new", []byte(formatLine(Layout)), true); err != nil {
		return writeError("write the file "+formatName, err)
	}
	return nil
}

// formatState is what a folder's format file says of it.
type formatState int

const (
	formatGood formatState = iota
	formatNew              // the folder has none, and no store
	formatLost             // it was a store
)

// readFormat reads the format file, or looks at what else is there. Errors:
// *LayoutError; ErrNotStore.
func readFormat(dir string, beside []string) (formatState, error) {
	text, err := ReadFile(filepath.Join(dir, formatName), 256)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("blockstore: %w", err)
	}
	if layout, ok := parseFormat(text); ok {
		if layout > Layout {
			return 0, &LayoutError{Dir: dir, Layout: layout, Supports: Layout}
		}
		return formatGood, nil
	}
	used, err := looksUsed(dir, beside)
	switch {
	case err != nil:
		return 0, err
	case used:
		return formatLost, nil
	}
	return formatNew, nil
}

// looksUsed reports whether dir, which has no good format file, was a store.
// The index is thrown away when it cannot be read, and a store has no place among
// other things: a folder that has any but beside, or hidden ones, is refused:
// ErrNotStore.
func looksUsed(dir string, beside []string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("blockstore: %w", err)
	}
	used, foreign := false, ""
	for _, e := range entries {
		switch name := e.Name(); {
		case name == indexName, name == versionsName, name == formatName:
			used = true
		case name == lockName, name == formatName+".new", name == probeName, name == "lost+found":
		case slices.Contains(beside, name), strings.HasPrefix(name, "."):
		default:
			foreign = name
		}
	}
	if foreign != "" {
		return false, fmt.Errorf("%w: %s has no good file %q, and other things such as %q", ErrNotStore, dir, formatName, foreign)
	}
	return used, nil
}

// ReadFile reads at most limit bytes of a file of a store, or of what lies beside
// it. Errors: those of OpenFile; the disk's.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := OpenFile(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out bytes.Buffer
	if info, err := f.Stat(); err == nil {
		out.Grow(int(min(info.Size(), limit)) + bytes.MinRead) // a meta file may have 64 KiB
	}
	_, err = out.ReadFrom(io.LimitReader(f, limit))
	return out.Bytes(), err
}

// replaceFile writes path as a whole, by way of temp. It is durable, but for
// its name, when sync is true.
func replaceFile(path, temp string, p []byte, sync bool) error {
	if err := errors.Join(removeOdd(path), removeOdd(temp)); err != nil {
		return err
	}
	f, err := OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(p)
	if err == nil && sync {
		err = fdatasync(f)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		failpoint("replace.written")
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

// removeOdd removes what has the name of a file of the store and is something
// else, such as a link or a folder.
func removeOdd(path string) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return os.RemoveAll(path)
	}
	return nil
}

// provisionalName is the name of the folder of a version without an ID.
func provisionalName(k Key) string { return provisionalID + hex.EncodeToString(k[:]) }

func (id ID) String() string { return hex.EncodeToString(id[:]) }

func (k Key) String() string { return hex.EncodeToString(k[:]) }

// ParseKey is the opposite of Key.String. Errors: ErrInvalid, wrapped.
func ParseKey(text string) (k Key, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(k) {
		return k, fmt.Errorf("%w: %q is no key", ErrInvalid, text)
	}
	return Key(raw), nil
}

// parseName tells what the folder of a version is called: by its ID, or by its
// Key. ok is false for other names.
func parseName(name string) (id ID, key Key, whole, ok bool) {
	text, provisional := strings.CutPrefix(name, provisionalID)
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) || strings.ToLower(text) != text {
		return ID{}, Key{}, false, false
	}
	if provisional {
		return ID{}, Key(raw), false, true
	}
	return ID(raw), Key{}, true, true
}
