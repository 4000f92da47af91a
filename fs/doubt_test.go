package fs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

const doubtPath = "/x.zsync"

// newDoubtNode is a file of an archive with a server.
func newDoubtNode(t *testing.T, deadline time.Duration) (*fileNode, *rangetest.Server) {
	t.Helper()
	s := rangetest.New()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.Put(doubtPath, controlBytes(1))
	u, err := url.Parse(s.URL(doubtPath))
	if err != nil {
		t.Fatal(err)
	}
	client, err := zsyncclient.New(zsyncclient.Options{Origins: []*url.URL{u}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	a := archive.NewSingle(u, archive.Options{Client: client})
	t.Cleanup(a.Close)
	f := New(a, nil, Options{ReadDeadline: deadline})
	t.Cleanup(f.Close)
	e, err := a.Root().Lookup(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	ctl, err := e.File.Control(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return newFileNode(f, e.File, ctl), s
}

// controlBytes is a control file of a target of one block.
func controlBytes(length int) []byte {
	return fmt.Appendf(nil, "zsync: 0.6.2\nBlocksize: 2048\nLength: %d\nHash-Lengths: 1,2,4\nURL: x\nSHA-1: %040d\n\nrecord", length, 7)
}

// mismatch is what a read gives while the server has another artifact.
var mismatch = &zsyncclient.SourceError{Candidates: []zsyncclient.CandidateError{{URL: "u", Err: &zsyncclient.LengthError{Want: 1, Got: 2}}}}

func TestDoubtPasses(t *testing.T) {
	n, _ := newDoubtNode(t, time.Minute)
	for _, contradiction := range []error{
		mismatch, zsyncclient.ErrWrongBlocks, target.ErrTargetChanged, &zsyncclient.StatusError{Code: 416},
	} {
		reads := 0
		count, err := n.undoubted(t.Context(), func() (int, error) {
			if reads++; reads < 4 {
				return 0, contradiction
			}
			return 7, nil
		})
		if count != 7 || err != nil || reads != 4 {
			t.Errorf("%v: %d bytes, %v after %d reads", contradiction, count, err, reads)
		}
		if !n.doubt.since.IsZero() {
			t.Error("a doubt that passed is kept")
		}
	}
}

func TestOtherErrorsAreNoDoubt(t *testing.T) {
	n, s := newDoubtNode(t, time.Minute)
	before := s.Count("")
	for _, other := range []error{&zsyncclient.StatusError{Code: 404}, target.ErrStalled, errors.New("mine")} {
		reads := 0
		_, err := n.undoubted(t.Context(), func() (int, error) { reads++; return 0, other })
		if err != other || reads != 1 {
			t.Errorf("%v became %v after %d reads", other, err, reads)
		}
	}
	if s.Count("") != before {
		t.Error("the control file was asked for")
	}
}

func TestDoubtBecomesChange(t *testing.T) {
	for name, change := range map[string]func(*rangetest.Server){
		"replaced": func(s *rangetest.Server) { s.Put(doubtPath, controlBytes(2)) },
		"removed":  func(s *rangetest.Server) { s.Remove(doubtPath) },
	} {
		n, s := newDoubtNode(t, time.Minute)
		reads := 0
		_, err := n.undoubted(t.Context(), func() (int, error) {
			if reads++; reads == 3 {
				change(s)
			}
			return 0, mismatch
		})
		if errno(err) != syscall.ESTALE || !errors.Is(err, mismatch) || reads < 3 {
			t.Errorf("%s: %v after %d reads", name, err, reads)
		}
	}
}

// TestDoubtEnds: with the deadline of a read, and then for good.
func TestDoubtEnds(t *testing.T) {
	const deadline = 200 * time.Millisecond
	n, s := newDoubtNode(t, deadline)
	s.Add(rangetest.Rule{Fault: rangetest.Status, Status: 403}) // no answer about the control file
	reads := 0
	read := func() (int, error) { reads++; return 0, mismatch }
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if _, err := n.undoubted(ctx, read); err != mismatch || reads < 2 {
		t.Errorf("%v after %d reads", err, reads)
	}
	time.Sleep(deadline)
	reads = 0
	if _, err := n.undoubted(t.Context(), read); err != mismatch || reads != 1 {
		t.Errorf("later: %v after %d reads", err, reads)
	}
}

// TestUselessHeader: a header of which a digit was damaged on its way is not believed
// for its validators, and the server is asked no more than once in a while.
func TestUselessHeader(t *testing.T) {
	useless := &zsyncclient.SourceError{Candidates: []zsyncclient.CandidateError{{URL: "u", Err: &zsyncclient.StatusError{Code: 404}}}}
	for _, fault := range []error{target.ErrSuspect, mismatch, useless} {
		n, s := newDoubtNode(t, time.Minute)
		right, modified := controlBytes(2), time.Now().Add(-time.Hour)
		s.SetValidators(doubtPath, `"one"`, modified)
		ctl, err := n.file().Control(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n.file().Replaced(t.Context(), ctl) { // it has the validators from now on
			t.Fatal("replaced")
		}
		read := func() (int, error) { return 0, fault }
		if fault != error(mismatch) {
			before := s.Count("")
			for range 3 {
				if _, err := n.undoubted(t.Context(), read); err != fault {
					t.Errorf("%v became %v", fault, err)
				}
			}
			if got := s.Count("") - before; got != 1 {
				t.Errorf("%v: %d requests", fault, got)
			}
			continue
		}
		s.Put(doubtPath, right)
		s.SetValidators(doubtPath, `"one"`, modified)
		if _, err := n.undoubted(t.Context(), read); errno(err) != syscall.ESTALE {
			t.Errorf("%v became %v", fault, err)
		}
	}
}
