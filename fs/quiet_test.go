package fs

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// wantTold compares what the kernel was told since the last time.
func (k *kernel) wantTold(t *testing.T, want ...string) {
	t.Helper()
	var told []string
	for len(k.told) > 0 {
		told = append(told, <-k.told)
	}
	if slices.Sort(told); !slices.Equal(told, want) {
		t.Errorf("the kernel was told %q, want %q", told, want)
	}
}

// settle returns when the worker has told all that it was given so far.
func (f *FS) settle() {
	done := make(chan struct{})
	f.tell(func() { close(done) })
	<-done
}

func TestNamesAreForgottenWhenNobodyAsks(t *testing.T) {
	f, file, _ := newTestFS(t)
	k := &kernel{told: make(chan string, 2*maxDue)}
	k.connect(t, f, file)
	f.attach()
	f.root.begin()
	f.root.begin()
	f.forgetName("", "a")
	f.forgetName("", "b")
	f.forgetName("", "a")
	f.settle()
	k.wantTold(t)
	f.root.end()
	f.settle()
	k.wantTold(t)
	f.root.end()
	f.root.begin() // a program that waited for the same name
	time.Sleep(2 * noticePause)
	f.settle()
	k.wantTold(t)
	f.root.end()
	told := []string{<-k.told, <-k.told}
	if slices.Sort(told); !slices.Equal(told, []string{"entry a of 1", "entry b of 1"}) {
		t.Errorf("the kernel was told %q", told)
	}
	f.root.begin()
	f.root.end()
	f.forgetName("", "a")
	f.settle()
	k.wantTold(t) // a program that waited for the same name may be about to ask
	if got := <-k.told; got != "entry a of 1" {
		t.Errorf("the kernel was told %q", got)
	}
	time.Sleep(2 * noticePause)
	f.settle()
	k.wantTold(t)
	f.forgetName("", "a")
	f.settle()
	k.wantTold(t, "entry a of 1")

	// Not more than some wait.
	f.root.begin()
	for i := range maxDue + 3 {
		f.forgetName("", fmt.Sprint(i))
	}
	f.settle()
	if n := len(k.told); n != 3 {
		t.Errorf("%d names were forgotten, want 3", n)
	}
}

func TestPagesAreForgottenBesideReads(t *testing.T) {
	f, file, version := newTestFS(t)
	k := &kernel{told: make(chan string, 100)}
	k.connect(t, f, file)
	f.attach()
	first, second, third := file.beginRead(0, 100), file.beginRead(300, 100), file.beginRead(350, 150)
	f.ContentChanged(version)
	f.settle()
	k.wantTold(t, "content of 2 from 100, 200", "content of 2 from 500, 0")
	file.endRead(third)
	f.settle() // the second read has the pages before 400
	k.wantTold(t, "content of 2 from 400, 100")
	file.endRead(first)
	f.settle()
	k.wantTold(t, "content of 2 from 0, 100")
	file.endRead(second)
	f.settle()
	k.wantTold(t, "content of 2 from 300, 100")
	late := file.beginRead(0, 100)
	file.endRead(late)
	f.settle()
	k.wantTold(t)
}

// TestPagesOfClosedFilesAreForgotten: the kernel keeps the pages of a file that was closed,
// until it forgets the file.
func TestPagesOfClosedFilesAreForgotten(t *testing.T) {
	f, file, version := newTestFS(t)
	k := &kernel{told: make(chan string, 100)}
	k.connect(t, f, file)
	f.attach()
	file.part()
	f.ContentChanged(version)
	f.settle()
	k.wantTold(t, "content of 2 from 0, 0")
	file.direct.handles++
	file.OnForget() // of before it was opened anew
	file.part()
	f.ContentChanged(version)
	f.settle()
	k.wantTold(t, "content of 2 from 0, 0")
	file.OnForget()
	f.ContentChanged(version)
	f.settle()
	k.wantTold(t)
	if len(f.nodes) != 0 {
		t.Errorf("%d versions are known still", len(f.nodes))
	}
}

// TestNoticesBehindManyOthers: a notice that finds too many others goes out after them.
func TestNoticesBehindManyOthers(t *testing.T) {
	f, file, version := newTestFS(t)
	k := &kernel{told: make(chan string)} // nobody listens yet
	k.connect(t, f, file)
	f.attach()
	for f.forgetName("", "name") {
	}
	f.ContentChanged(version)
	for got := range k.told {
		if got == "content of 2 from 0, 0" {
			break
		}
	}
	k.closed(f)
}

// TestGoneNamesAreForgottenTogether: the kernel is told of many at a time.
func TestGoneNamesAreForgottenTogether(t *testing.T) {
	f, file, _ := newTestFS(t)
	k := &kernel{told: make(chan string, 2*goneTogether)}
	f.EntryChanged("", "of before the mount")
	k.connect(t, f, file)
	f.attach()
	for i := range goneTogether - 2 {
		f.EntryChanged("", fmt.Sprint(i))
	}
	f.settle()
	k.wantTold(t)
	f.EntryChanged("unknown/dir", "name")
	f.settle()
	if n := len(k.told); n != goneTogether-1 {
		t.Errorf("%d names were forgotten, want %d", n, goneTogether-1)
	}
	k.told = make(chan string, 1)
	f.detach()
	for i := range mostGone + 1 {
		f.EntryChanged("", fmt.Sprint(i))
	}
	if n := len(f.gone.names); n != mostGone {
		t.Errorf("%d names wait, want %d", n, mostGone)
	}
}
