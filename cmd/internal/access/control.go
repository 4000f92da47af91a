package access

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// ErrDirectory: a directory was given where a control file is wanted.
var ErrDirectory = errors.New("is a directory, not a control file")

// ReadControl reads the control file at path, with all of its records. It came
// from the URL from; nil: nobody knows.
//
// Errors: ErrDirectory; those of the file; those of zsyncclient.ReadControl; ctx's.
func ReadControl(ctx context.Context, path string, from *url.URL) (*zsyncclient.Control, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s %w", path, ErrDirectory)
	}
	return signals.Await(ctx, func() (*zsyncclient.Control, error) { // it may be a pipe
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return zsyncclient.ReadControl(f, from)
	})
}
