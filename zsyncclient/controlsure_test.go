package zsyncclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// otherControl is the control file of another target of the same length.
func (f *fixture) otherControl() []byte {
	target := bytes.Clone(f.target)
	target[0]++
	control, _ := controlFor(f.t, target, f.header.BlockSize)
	return control
}

// replaceUnseen puts another control file of the same length there, with the
// validators of the one before: both were changed within one second.
func (f *fixture) replaceUnseen(modified time.Time) {
	f.t.Helper()
	other := f.otherControl()
	if len(other) != len(f.control) {
		f.t.Fatalf("the other control file has %d bytes, not %d", len(other), len(f.control))
	}
	f.srv.Put(controlPath, other)
	f.srv.SetValidators(controlPath, `"same"`, modified)
}

func TestReplacedWithinASecond(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	now := time.Now()
	f.srv.SetValidators(controlPath, `"same"`, now)
	ctl, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 4096)
	if err != nil || !ctl.Validators.Young {
		t.Fatalf("%+v, %v", ctl, err)
	}
	r := f.header.RecordRange(f.all())
	var got []byte
	deliver := func(_ int64, p []byte) error {
		got = append(got, p...)
		return nil
	}
	if err := f.c.FetchControlRange(context.Background(), ctl, r, deliver); err != nil || !bytes.Equal(got, f.control[r.Start:r.End]) {
		t.Fatalf("the records of the file that is there: %d bytes, %v", len(got), err)
	}
	f.replaceUnseen(now)
	got = nil
	if err := f.c.FetchControlRange(context.Background(), ctl, r, deliver); !errors.Is(err, ErrTargetChanged) || len(got) != 0 {
		t.Errorf("records of another file: %d bytes, %v", len(got), err)
	}
	fresh, err := f.c.FetchControl(context.Background(), f.url, ctl.Validators, 4096)
	if err != nil || bytes.Equal(fresh.Raw, ctl.Raw) {
		t.Errorf("a conditional request: %v", err)
	}
}

// TestSameFileAgain: other validators alone do not make another file.
func TestSameFileAgain(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	ctl, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 4096)
	if err != nil || ctl.Validators.Young {
		t.Fatalf("%+v, %v", ctl, err)
	}
	r := f.header.RecordRange(f.all())
	for i, modified := range []time.Time{time.Now(), time.Now().Add(-time.Hour), {}} {
		f.srv.SetValidators(controlPath, fmt.Sprintf(`"%d"`, i), modified)
		var got []byte
		err := f.c.FetchControlRange(context.Background(), ctl, r, func(off int64, p []byte) error {
			if off != r.Start+int64(len(got)) {
				t.Errorf("%d bytes at %d", len(p), off)
			}
			got = append(got, p...)
			return nil
		})
		if err != nil || !bytes.Equal(got, f.control[r.Start:r.End]) {
			t.Errorf("after change %d: %d bytes, %v", i, len(got), err)
		}
	}
}

// TestOtherEdgeSaysNothing: an answer that has none of the validators that are known, of
// another file of the same length, is not believed for that it contradicts nothing.
func TestOtherEdgeSaysNothing(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	for name, tc := range map[string]struct {
		etag, otherETag         string
		modified, otherModified time.Time
	}{
		"no validators":            {etag: `"one"`},
		"none of both":             {etag: `"one"`, modified: old},
		"Last-Modified only":       {etag: `"one"`, otherModified: old},
		"ETag only":                {modified: old, otherETag: `"other"`},
		"200 to If-Range, no ETag": {etag: `"one"`, modified: old, otherModified: old},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{})
			f.srv.SetValidators(controlPath, tc.etag, tc.modified)
			ctl, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 4096)
			if err != nil || !ctl.Validators.certain() {
				t.Fatalf("%+v, %v", ctl, err)
			}
			r := f.header.RecordRange(f.all())
			var got []byte
			deliver := func(_ int64, p []byte) error {
				got = append(got, p...)
				return nil
			}
			f.srv.SetValidators(controlPath, tc.otherETag, tc.otherModified)
			if err := f.c.FetchControlRange(context.Background(), ctl, r, deliver); err != nil || !bytes.Equal(got, f.control[r.Start:r.End]) {
				t.Errorf("the same file: %d bytes, %v", len(got), err)
			}
			got = nil
			f.srv.Put(controlPath, f.otherControl())
			f.srv.SetValidators(controlPath, tc.otherETag, tc.otherModified)
			if err := f.c.FetchControlRange(context.Background(), ctl, r, deliver); !errors.Is(err, ErrTargetChanged) || len(got) != 0 {
				t.Errorf("another file: %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestSureFails: what looking at the header again can meet.
func TestSureFails(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	ctl := f.ctl() // no validators at all
	mine := errors.New("mine")
	r := f.header.RecordRange(f.all())
	if err := f.c.FetchControlRange(context.Background(), ctl, r, func(int64, []byte) error { return mine }); err != mine {
		t.Errorf("deliver's error came back as %v", err)
	}
	none := func(int64, []byte) error { return nil }
	var status *StatusError
	f.srv.Add(rangetest.Rule{Path: controlPath, Skip: 1, Fault: rangetest.Status, Status: 403})
	if err := f.c.FetchControlRange(context.Background(), ctl, r, none); !errors.As(err, &status) {
		t.Errorf("a header that is refused: %v", err)
	}
	f.srv.ClearRules()
	f.srv.Add(rangetest.Rule{Path: controlPath, Skip: 1, Fault: rangetest.Status, Status: 503})
	if err := f.c.FetchControlRange(shortly(t, time.Second), ctl, r, none); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a header that does not come: %v", err)
	}
}

// TestHeaderOfTwoEdges: nor is a part of a header that does not say what it is of put to
// another.
func TestHeaderOfTwoEdges(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	other := f.otherControl()
	f.srv.SetValidators(controlPath, "", time.Now().Add(-time.Hour))
	f.srv.Put("/other", other)
	f.srv.SetValidators("/other", "", time.Time{})
	f.srv.Add(rangetest.Rule{Path: controlPath, Skip: 1, Fault: rangetest.Redirect, Text: f.srv.URL("/other")})
	ctl, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 50)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(other, ctl.Raw) || !ctl.Validators.empty() {
		t.Errorf("the validators are %+v, the header is the first one's: %v", ctl.Validators, bytes.HasPrefix(f.control, ctl.Raw))
	}
}

// TestEdgesInTurn: two edges of a network that have the same file and each an ETag of its
// own do not make another file of it. Where they have nothing else to tell them by, nobody
// knows.
func TestEdgesInTurn(t *testing.T) {
	for name, modified := range map[string]time.Time{"dated": time.Now().Add(-time.Hour), "undated": {}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{})
			f.srv.SetValidators(controlPath, "", modified)
			for i := range 40 {
				f.srv.Add(rangetest.Rule{Path: controlPath, Times: 1, Fault: rangetest.ETag, Text: fmt.Sprintf(`"edge%d"`, i%2)})
			}
			ctl, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 4096)
			if err != nil {
				t.Fatal(err)
			}
			r := f.header.RecordRange(f.all())
			var got []byte
			err = f.c.FetchControlRange(context.Background(), ctl, r, func(_ int64, p []byte) error {
				got = append(got, p...)
				return nil
			})
			switch {
			case modified.IsZero():
				if !errors.Is(err, ErrTargetChanged) || len(got) != 0 {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			case err != nil || !bytes.Equal(got, f.control[r.Start:r.End]):
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// TestHeaderInParts: a header of more than one answer is of one file.
func TestHeaderInParts(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	f.srv.SetValidators(controlPath, `"same"`, time.Now())
	ctl, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 50)
	if err != nil || !bytes.Equal(ctl.Raw, f.control[:f.header.Size]) {
		t.Fatal(err)
	}
	last := f.srv.Log()[f.srv.Count("")-1]
	if want := fmt.Sprintf("bytes=0-%d", f.header.Size-1); last.Range != want {
		t.Errorf("the last request is for %q, not %q", last.Range, want)
	}
}
