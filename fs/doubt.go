package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// A publisher replaces an artifact and its control file one after the other. In
// between, the server has bytes that the control file does not describe. That is
// only a suspicion: reads wait until it has passed.

// doubtPause is the time before a read is tried again, doubling up to doubtLimit.
const (
	doubtPause = 20 * time.Millisecond
	doubtLimit = time.Second
)

// doubt is since when the server has something else than a version's bytes.
type doubt struct {
	mu    sync.Mutex
	since time.Time // guarded by mu; zero: it has not
}

// lasts says whether a doubt, which begins now unless there is one, is younger
// than patience.
func (d *doubt) lasts(patience time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.since.IsZero() {
		d.since = time.Now()
	}
	return time.Since(d.since) < patience
}

// ended notes that the server had the right bytes.
func (d *doubt) ended() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.since = time.Time{}
}

// contradicted says whether err means that the server has something else than what
// the control file describes, or another control file, or sends what makes no sense
// though it did before.
func contradicted(err error) bool {
	return zsyncclient.IsDoubtful(err) || errors.Is(err, target.ErrTargetChanged)
}

// useless says whether err may be the fault of a control file that was damaged on its way
// here: a digit of its digests, of a length, of a URL.
func useless(err error) bool {
	var failed *zsyncclient.SourceError
	return contradicted(err) || errors.Is(err, target.ErrSuspect) || errors.As(err, &failed)
}

// undoubted is read, repeated while the server contradicts the version's control
// file: until that is another one, which is ErrTargetChanged, or ctx ends. A
// contradiction that lasts longer than a read waits is an error at once.
func (n *fileNode) undoubted(ctx context.Context, read func() (int, error)) (int, error) {
	for pause := doubtPause; ; pause = min(2*pause, doubtLimit) {
		count, err := read()
		from := n.origin.Load()
		switch {
		case err == nil || err == io.EOF:
			n.doubt.ended()
			from.file.Trust()
			return count, err
		case errors.Is(err, target.ErrOtherRecords):
			return count, err
		case useless(err) && from.file.Distrust(from.kept.control()):
			// The answer to the question below is then the server's control file.
		case !contradicted(err):
			return count, err
		}
		if from.file.Replaced(ctx, from.kept.control()) {
			return 0, replaced(err)
		}
		if !contradicted(err) || !n.doubt.lasts(n.fs.readDeadline()) {
			return 0, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, err
		}
	}
}

// replaced is err where it is known that the version is there no more.
func replaced(err error) error {
	if errors.Is(err, target.ErrTargetChanged) {
		return err
	}
	return fmt.Errorf("%w: %w", target.ErrTargetChanged, err)
}
