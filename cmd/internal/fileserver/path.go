package fileserver

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
)

// controlSuffix ends the name of a control file.
const controlSuffix = ".zsync"

// cleanPath turns the path of a URL, already decoded, into a path under the
// root ("." for the root itself). It refuses what names nothing here: empty
// elements, ".", "..", names that start with a dot, NUL.
func cleanPath(urlPath string) (name string, isDir, ok bool) {
	rest, found := strings.CutPrefix(urlPath, "/")
	if !found || strings.IndexByte(rest, 0) >= 0 {
		return "", false, false
	}
	if rest == "" {
		return ".", true, true
	}
	rest, isDir = strings.CutSuffix(rest, "/")
	for element := range strings.SplitSeq(rest, "/") {
		if hidden(element) {
			return "", false, false
		}
	}
	return rest, isDir, true
}

// hidden names are neither listed nor served; "" is no name.
func hidden(name string) bool { return name == "" || name[0] == '.' }

// targetName is the name of the file that the control file name is of, or ""
// when there can be none.
func targetName(name string) string {
	target, ok := strings.CutSuffix(name, controlSuffix)
	if !ok || target == "" || strings.HasSuffix(target, "/") || strings.HasSuffix(target, controlSuffix) {
		return ""
	}
	return target
}

// open opens a regular file under the root.
//
// O_NONBLOCK is for a pipe that took the file's place after the caller's Stat:
// opening one would wait for a writer. Errors: making.ErrNotRegular; those of
// the file system.
func open(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = making.ErrNotRegular
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// namesNothing: there is no such file, or a symbolic link leads out of the
// root or in a circle, or a file stands where a directory should. To a client
// that is all the same.
func namesNothing(err error) bool {
	for _, target := range []error{
		os.ErrNotExist, making.ErrNotRegular, syscall.ELOOP, syscall.ENOTDIR, syscall.ENAMETOOLONG,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	// os has no name for its error "path escapes from parent".
	var path *fs.PathError
	return errors.As(err, &path) && strings.Contains(path.Err.Error(), "escapes")
}

// redirectToDirectory leads to the same URL with a slash at its end, without
// which relative links in the listing would lead astray.
func redirectToDirectory(w http.ResponseWriter, r *http.Request) {
	elements := strings.Split(strings.TrimSuffix(r.URL.Path, "/"), "/")
	last := elements[len(elements)-1]
	// Relative, so that it holds behind a proxy that adds a prefix.
	w.Header().Set("Location", making.RelativeURL(last)+"/")
	w.WriteHeader(http.StatusMovedPermanently)
}
