package target

import (
	"context"
	"errors"
	"testing"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// damaged is a target of which the record of a block comes damaged, as often as times
// says (0: always), and that block's offset.
func damaged(f *fixture, times int) (tg *Target, off int64) {
	const block = 700
	tg = f.open()
	at := tg.header.RecordRange(format.BlockRange{Start: block, End: block + 1})
	f.srv.Add(rangetest.Rule{Path: "/t.dat.zsync", Fault: rangetest.Flip, After: at.End - 1, Times: times})
	return tg, tg.geometry.Offset(block)
}

// TestDamagedRecords: a record that was damaged on its way is fetched again when the
// block contradicts it, and the version begins anew.
func TestDamagedRecords(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	tg, off := damaged(f, 1)
	f.expect(tg, 0, 4096)
	if _, err := tg.ReadAt(context.Background(), make([]byte, 10), off); !errors.Is(err, ErrOtherRecords) || !errors.Is(err, ErrTargetChanged) {
		t.Fatalf("got %v", err)
	}
	if _, err := tg.ReadAt(context.Background(), make([]byte, 10), 0); !errors.Is(err, ErrOtherRecords) {
		t.Errorf("a block that is here: %v", err)
	}
	next := f.open()
	if next == tg {
		t.Fatal("the same target")
	}
	f.expect(next, off, 10)
	f.expect(next, 0, len(f.data))
}

// TestRecordsStayDamaged: a server whose records are wrong is not asked again and again,
// and what is here of the version stays.
func TestRecordsStayDamaged(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	tg, off := damaged(f, 0)
	f.expect(tg, 0, 4096)
	p := make([]byte, 10)
	if _, err := tg.ReadAt(context.Background(), p, off); err == nil || errors.Is(err, ErrOtherRecords) {
		t.Fatalf("got %v", err)
	}
	_, before := f.fetched("/t.dat.zsync")
	if before > 10 {
		t.Errorf("%d requests for the control file", before)
	}
	for range 5 {
		if _, err := tg.ReadAt(context.Background(), p, off); err == nil {
			t.Fatal("no error")
		}
	}
	// One conditional look for each failure there always was.
	if _, now := f.fetched("/t.dat.zsync"); now > before+5 {
		t.Errorf("%d requests for the control file, then %d", before, now)
	}
	f.expect(tg, 0, 4096)
}

// TestConflictOfRecords: records that come differ from those here, which were damaged.
func TestConflictOfRecords(t *testing.T) {
	f := newFixture(t, 4*mib, nil)
	tg := f.open()
	r := tg.header.RecordRange(format.BlockRange{Start: 690, End: 710})
	if err := tg.version.PutControl(make([]byte, r.Length()), r.Start); err != nil {
		t.Fatal(err)
	}
	err := tg.fetchControl(context.Background(), &slice{bytes: tg.roundSlice(r)})
	if !errors.Is(err, blockstore.ErrControlConflict) || !errors.Is(err, ErrOtherRecords) {
		t.Fatalf("got %v", err)
	}
	f.expect(f.open(), 0, len(f.data))
}
