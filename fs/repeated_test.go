package fs

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

const (
	page   = 4 << 10
	window = 128 << 10 // of the kernel's readahead
)

// openHandle opens a file of 4 MiB, of whose records only the first have come. What its
// requests ask for, and when, is the test's.
func openHandle(t *testing.T, deadline time.Duration) (*handle, *rangetest.Server) {
	t.Helper()
	src := newSource(t, 4<<20)
	pool := target.NewPool(src.store, src.client, target.Options{ReadDeadline: deadline * 19 / 20})
	t.Cleanup(func() { pool.Close() })
	a := archive.NewSingle(src.control, archive.Options{Client: src.client})
	t.Cleanup(a.Close)
	f := New(a, pool, Options{ReadDeadline: deadline})
	t.Cleanup(f.Close)
	e, err := a.Root().Lookup(t.Context(), "t")
	must(t, err)
	ctl, err := src.client.FetchControl(t.Context(), src.control, zsyncclient.Validators{}, 1<<10)
	must(t, err)
	open, _, code := newFileNode(f, e.File, ctl).Open(t.Context(), syscall.O_RDONLY)
	if code != 0 {
		t.Fatal(code)
	}
	h := open.(*handle)
	t.Cleanup(func() { h.Release(context.Background()) })
	return h, src.server
}

// pread makes the kernel's requests of a pread at off: one for a window, and, when that
// failed, one for each page of it until one fails; it goes on behind the window when all
// of them are there. It says what the program gets, and when.
func (h *handle) pread(off, length int64) (got int64, code syscall.Errno, took time.Duration) {
	began := time.Now()
	for ; got < length && code == 0; got += window {
		if _, code = h.Read(context.Background(), make([]byte, window), off+got); code == 0 {
			continue
		}
		for at := int64(0); at < window; at += page {
			if _, code = h.Read(context.Background(), make([]byte, page), off+got+at); code != 0 {
				return got + at, code, time.Since(began)
			}
		}
	}
	return got, code, time.Since(began)
}

// TestPreadWithoutRecords: programs that wait for records which do not come, though blocks
// do, wait for one read deadline, whoever asked for the records first.
func TestPreadWithoutRecords(t *testing.T) {
	const deadline = 4 * time.Second
	h, srv := openHandle(t, deadline)
	srv.Add(rangetest.Rule{Path: "/t.zsync", Fault: rangetest.StallHeader})
	var readers sync.WaitGroup
	for i := range int64(4) {
		readers.Go(func() {
			time.Sleep(time.Duration(i) * deadline / 8)
			if got, code, took := h.pread(2<<20+i*window, window); got != 0 || code != syscall.EIO || took > deadline+deadline/2 {
				t.Errorf("pread %d: %d bytes and %v after %v", i, got, code, took)
			}
		})
	}
	readers.Wait()
}

// TestPreadThatGoesOn: what was late comes when the kernel asks for its pages, and what is
// behind it does not come. When the server is back, the next read has what it wants.
func TestPreadThatGoesOn(t *testing.T) {
	const deadline = 4 * time.Second
	h, srv := openHandle(t, deadline)
	if _, code, _ := h.pread(2<<20, window); code != 0 {
		t.Fatal(code)
	}
	h.node.late.note(2<<20, window, false, syscall.EIO)
	srv.Add(rangetest.Rule{Path: "/t", Fault: rangetest.StallHeader})
	if got, code, took := h.pread(2<<20, 8*window); got != window || code != syscall.EIO || took > lateFor+deadline/2 {
		t.Errorf("%d bytes and %v after %v", got, code, took)
	}
	srv.ClearRules()
	for try := 1; ; try++ {
		_, code, _ := h.pread(2<<20+window, window)
		if code == 0 {
			break
		}
		if try == 3 { // the second may be behind a request that had no answer
			t.Fatalf("%v when the server is back", code)
		}
		time.Sleep(lateFor + lateFor/10)
	}
}

// TestPreadRefused: a read that failed for something else than want of time, but not soon.
func TestPreadRefused(t *testing.T) {
	const deadline = 2 * time.Second
	h, srv := openHandle(t, deadline)
	srv.Add(rangetest.Rule{Path: "/t", Fault: rangetest.Status, Status: 403})
	srv.Add(rangetest.Rule{Path: "/t.zsync", Fault: rangetest.StallHeader})
	const off = 0 // the records of which are here
	h.pread(off, window)
	time.Sleep(lateFor + lateFor/10)
	_, code, took := h.pread(off, window)
	if code != syscall.EACCES || took < lateLeast {
		t.Fatalf("%v after %v: not the case that this test is about", code, took)
	}
	if code := h.node.late.again(off); code != syscall.EACCES { // others that waited for the page
		t.Errorf("%v for the next one", code)
	}
}
