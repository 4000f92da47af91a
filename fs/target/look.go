package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// Nothing protects a control file on its way here. Records that were damaged then make
// right blocks look wrong, and the header, which is the same, says that nothing changed.
// So when blocks contradict their records, the records are looked at once more.

// lookPause is the shortest time between two looks at the records of one version.
const lookPause = 15 * time.Second

// ErrOtherRecords is the error of reads of a target whose control file has other records
// on the server than here, under the same header. What was here is thrown away, and
// the next Open of the same control file begins anew. It is an ErrTargetChanged.
var ErrOtherRecords = fmt.Errorf("%w: its control file has other records than those that came before", ErrTargetChanged)

// look fetches record bytes r once more, which contradict what the server sends, and
// says whether those here are others: then nothing that is here is of use, and t ends.
// It does nothing soon after the last look.
func (t *Target) look(r format.Range) bool {
	if t.version.State() == blockstore.Verified || !t.mayLook() {
		return false
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.options.ReadDeadline/2)
	defer cancel()
	now, err := t.client.FetchControl(ctx, t.control.URL, zsyncclient.Validators{}, t.header.Size)
	if err != nil || !bytes.Equal(now.Raw, t.control.Raw) {
		return false
	}
	size := t.header.RecordSize()
	first := (r.Start - t.header.Size + size - 1) / size
	blocks := format.BlockRange{Start: format.BlockID(first), End: format.BlockID((r.End - t.header.Size) / size)}
	var before []byte
	for range 2 { // a look that is damaged itself must not decide
		got, err := t.fetchRecords(ctx, now, blocks)
		if err != nil || !t.differs(blocks, got) || before != nil && !bytes.Equal(got, before) {
			return false
		}
		before = got
	}
	return t.abandon()
}

// lookAt is look at the records around that of block b.
func (t *Target) lookAt(b format.BlockID) bool {
	r := t.header.RecordRange(format.BlockRange{Start: b, End: b + 1})
	around := t.roundSlice(r)
	return t.look(format.Range{Start: min(around.Start, r.Start), End: max(around.End, r.End)})
}

// fetchRecords fetches the records of blocks, wherever they are already.
func (t *Target) fetchRecords(ctx context.Context, ctl *zsyncclient.Control, blocks format.BlockRange) ([]byte, error) {
	r := t.header.RecordRange(blocks)
	got := make([]byte, 0, r.Length())
	err := t.client.FetchControlRange(ctx, ctl, r, func(_ int64, p []byte) error {
		got = append(got, p...)
		return nil
	})
	if err == nil && int64(len(got)) != r.Length() {
		err = fmt.Errorf("%d bytes of records for %v", len(got), blocks)
	}
	return got, err
}

// differs says whether a record here of one of blocks is another than in records.
func (t *Target) differs(blocks format.BlockRange, records []byte) bool {
	size := t.header.RecordSize()
	for b := blocks.Start; b < blocks.End; b++ {
		here, err := t.version.Records(format.BlockRange{Start: b, End: b + 1})
		at := int64(b-blocks.Start) * size
		if err == nil && !bytes.Equal(here, records[at:at+size]) {
			return true
		}
	}
	return false
}

// abandon throws away what is here and ends t's reads with ErrOtherRecords.
func (t *Target) abandon() bool {
	if err := t.version.Discard(); err != nil {
		if !errors.Is(err, blockstore.ErrClosed) {
			t.options.Warn(t.where(), fmt.Errorf("throw away what came with records that are no longer there: %w", err))
		}
		return false
	}
	t.abandoned() // before readers learn of it: who opens it again must get another
	t.mu.Lock()
	first := !t.outdated
	t.outdated = true
	t.fail(t.geometry.All(), ErrOtherRecords)
	t.mu.Unlock()
	if first {
		t.options.Warn(t.where(), errors.New("its records are others than those that came before, so it is fetched anew"))
		t.version.Distrust()
	}
	return true
}
