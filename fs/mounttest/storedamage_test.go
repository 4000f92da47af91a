package mounttest

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// storeFiles are the files of a store, but not those that are no part of its data.
func storeFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err): // removed meanwhile
		case err != nil:
			return err
		case e.Type().IsRegular() && e.Name() != "daemon.log":
			files = append(files, path)
		}
		return nil
	})
	must(t, err)
	return files
}

// damages are what may happen to a file of a store. other is another one of the same
// store. Files may go meanwhile, and room may be short.
var damages = []struct {
	name string
	do   func(path, other string, rng *rand.Rand) error
	// whole: it is done to the file's name, not to its bytes.
	whole bool
}{
	{"a bit flipped", func(path, _ string, rng *rand.Rand) error {
		return change(path, rng, func(p []byte) { p[rng.IntN(len(p))] ^= 1 << rng.IntN(8) })
	}, false},
	{"a stretch of zeros", func(path, _ string, rng *rand.Rand) error {
		return change(path, rng, func(p []byte) { clear(p) })
	}, false},
	{"a stretch of something else", func(path, _ string, rng *rand.Rand) error {
		return change(path, rng, func(p []byte) {
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
		})
	}, false},
	{"cut", func(path, _ string, rng *rand.Rand) error {
		s, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, rng.Int64N(s.Size()+1))
	}, false},
	{"longer", func(path, _ string, rng *rand.Rand) error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.Write(make([]byte, 1+rng.IntN(10_000)))
		return err
	}, false},
	{"deleted", func(path, _ string, _ *rand.Rand) error { return os.Remove(path) }, true},
	{"swapped", func(path, other string, _ *rand.Rand) error {
		between := path + ".between"
		if err := os.Rename(path, between); err != nil {
			return err
		}
		if err := os.Rename(other, path); err != nil {
			return os.Rename(between, path)
		}
		return os.Rename(between, other)
	}, true},
	{"the bytes of another one", func(path, other string, _ *rand.Rand) error {
		data, err := os.ReadFile(other)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteAt(data, 0)
		return err
	}, false},
}

// change changes a random stretch of up to 64 KiB of a file, where there are data.
func change(path string, rng *rand.Rand, f func([]byte)) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	s, err := file.Stat()
	if err != nil || s.Size() == 0 {
		return err
	}
	off := rng.Int64N(s.Size())
	p := make([]byte, min(1+rng.Int64N(1<<rng.IntN(17)), s.Size()-off))
	if _, err := file.ReadAt(p, off); err != nil {
		return err
	}
	f(p)
	_, err = file.WriteAt(p, off)
	return err
}

// damage damages a random file of the store, and says how. live: a daemon works with
// it, which holds the bytes of blocks against their records once; so these are left
// alone but for their files' names (README.md's limits).
func damage(t *testing.T, dir string, rng *rand.Rand, live bool) string {
	t.Helper()
	files := storeFiles(t, dir)
	if len(files) < 2 {
		return "there is none"
	}
	path, other := files[rng.IntN(len(files))], files[rng.IntN(len(files))]
	if live { // what bears the name of such a file is one
		files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) != filepath.Base(path) })
		other = files[rng.IntN(len(files))]
	}
	d := damages[rng.IntN(len(damages))]
	for live && !d.whole && filepath.Base(path) == "data" {
		d = damages[rng.IntN(len(damages))]
	}
	if err := d.do(path, other, rng); err != nil && !os.IsNotExist(err) {
		t.Errorf("%s: %v", d.name, err)
	}
	name, _ := filepath.Rel(dir, path)
	return name + " " + d.name
}

// TestTortureStoppedStore damages files of the store while nothing runs. The next
// mount needs no help, and reads right.
func TestTortureStoppedStore(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/"), quiet...)
	allRight(t, torturedPairs(m, dir))
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	made := 0
	var what []string
	defer func() {
		if t.Failed() {
			t.Logf("after %q", what)
		}
	}()
	for range trials(12, 500) {
		m.Unmount()
		what = nil
		for range 1 + rng.IntN(4) {
			what = append(what, damage(t, m.CacheDir, rng, false))
		}
		made += len(what)
		m = again(t, m, s.URL("/"), quiet...)
		o := oracle(t, torturedPairs(m, dir), rng.Uint64())
		allRight(t, torturedPairs(m, dir))
		if r := end(t, o, hang); r.Failed > 0 {
			t.Errorf("%d of %d reads failed: %v", r.Failed, r.Reads, r.Errors)
		}
		if t.Failed() {
			return
		}
	}
	promised(t, "right bytes or an error", "files of the store damaged while stopped", made)
	m.Unmount()
}

// TestTortureLiveStore damages files of the store that a daemon works with. Reads may
// fail meanwhile; afterwards all is right, without a remount. Not with passthrough:
// what the kernel reads by itself nobody checks (README.md's limits).
func TestTortureLiveStore(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/"), append([]string{"--read-deadline=4s", "--passthrough=off"}, quiet...)...)
	pairs := torturedPairs(m, dir)
	allRight(t, pairs)
	pid := m.PID()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	made := 0
	for range trials(4, 100) {
		o := oracle(t, pairs, rng.Uint64())
		var what []string
		for range 10 {
			time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond) // at any time of what goes on
			what = append(what, damage(t, m.CacheDir, rng, true))
		}
		made += len(what)
		r := end(t, o, hang)
		t.Logf("%d of %d reads failed: %v", r.Failed, r.Reads, r.Errors)
		if now := m.PIDs(); len(now) != 1 || now[0] != pid {
			t.Errorf("the daemon was %d, now there are %v", pid, now)
		}
		if t.Failed() {
			t.Fatalf("after %q", what)
		}
		allRight(t, pairs)
	}
	promised(t, "right bytes or an error", "files of the store damaged while in use", made)
	m.Unmount()
	// What is left of the store is good enough for the next daemon.
	m = again(t, m, s.URL("/"), quiet...)
	allRight(t, torturedPairs(m, dir))
	m.Unmount()
}
