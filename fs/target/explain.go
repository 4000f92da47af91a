package target

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// explain adds to an error of a fetch what only the control file can tell:
// whether the artifact was replaced or removed meanwhile, or its records came damaged.
func (t *Target) explain(err error) error {
	var failed *zsyncclient.SourceError
	var refused *zsyncclient.StatusError
	if !errors.As(err, &failed) && !errors.As(err, &refused) || t.ctx.Err() != nil {
		return err
	}
	if t.isReplaced() {
		return fmt.Errorf("%w: %w", ErrTargetChanged, err)
	}
	var wrong *zsyncclient.WrongBlockError
	if errors.As(err, &wrong) && t.lookAt(wrong.Block) {
		return fmt.Errorf("%w: %w", ErrOtherRecords, err)
	}
	return err
}

// replacedYoung is how old the answer may be that isReplaced goes by: where nothing can
// serve, one read after the other fails, and at once.
const replacedYoung = 250 * time.Millisecond

// replacement is what the server said of the control file last.
type replacement struct {
	mu   sync.Mutex // held while it is asked
	when time.Time  // guarded by mu; zero: it was not asked
	is   bool       // guarded by mu: it has another one, or none
}

// isReplaced asks the server whether it has another control file by now, or none; false
// also when it does not answer.
func (t *Target) isReplaced() bool {
	last := &t.replacement
	last.mu.Lock()
	defer last.mu.Unlock()
	if age := time.Since(last.when); !last.when.IsZero() && age < replacedYoung {
		return last.is
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.options.ReadDeadline/4)
	defer cancel()
	now, err := t.client.FetchControl(ctx, t.control.URL, t.control.Validators, headerPrefix)
	last.is = err == nil && string(now.Raw) != string(t.control.Raw) || zsyncclient.IsGone(err)
	last.when = time.Now()
	return last.is
}
