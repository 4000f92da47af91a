package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func logPath(dir string) string { return filepath.Join(dir, indexName, logName) }

// content is all that the index of s holds.
func content(t testing.TB, s *Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, s.index.each("", func(key string, value []byte) { out[key] = string(value) }))
	return out
}

// history makes a store with a few checkpoints, one of them larger than a
// record, and returns what the index held after each, from none on.
func history(t *testing.T, dir string) []map[string]string {
	t.Helper()
	s, _ := openStore(t, dir)
	states := []map[string]string{content(t, s)}
	for i := range 6 {
		for k := range 4 {
			must(t, s.MetaPut(fmt.Sprint("k", (i+k)%5), []byte(fmt.Sprint("value ", i))))
		}
		if i == 3 {
			must(t, s.MetaPut("large", bytes.Repeat([]byte{1}, recordRoom)))
			must(t, s.MetaDelete("k0"))
		}
		must(t, s.commitIndex(nil))
		states = append(states, content(t, s))
	}
	must(t, s.Close())
	return states
}

// stateOf is which of states the index of dir holds; it fails when it is none.
func stateOf(t *testing.T, dir string, states []map[string]string) (state, warned int) {
	t.Helper()
	w := &warnings{}
	x, err := openIndex(dir, w.add)
	must(t, err)
	defer x.close()
	got := content(t, &Store{index: x})
	for i, want := range states {
		if fmt.Sprint(got) == fmt.Sprint(want) {
			return i, w.count()
		}
	}
	t.Fatalf("the index holds what it never held: %.300q", fmt.Sprint(got))
	return 0, 0
}

// TestTornLog cuts the log, and flips a bit, in many places.
func TestTornLog(t *testing.T) {
	golden, dir := t.TempDir(), t.TempDir()
	states := history(t, golden)
	whole, err := os.ReadFile(logPath(golden))
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, indexName), 0o700))
	step := func(at int) int { // most of the file is one value
		if at > 1200 && at < len(whole)-1200 {
			return 15001
		}
		return 7
	}
	before := 0
	for at := 0; at <= len(whole); at += step(at) {
		must(t, os.WriteFile(logPath(dir), whole[:at], 0o600))
		state, warned := stateOf(t, dir, states)
		if state < before || at == len(whole) && state != len(states)-1 {
			t.Errorf("cut at %d: state %d, and %d when cut before", at, state, before)
		}
		before = state
		if again, warned2 := stateOf(t, dir, states); again != state || state > 0 && warned2 != 0 || warned > 1 {
			t.Errorf("cut at %d: state %d, then %d; %d and %d warnings", at, state, again, warned, warned2)
		}
		if at == len(whole) {
			continue
		}
		harmed := bytes.Clone(whole)
		harmed[at] ^= 0x10
		must(t, os.WriteFile(logPath(dir), harmed, 0o600))
		if after, warned := stateOf(t, dir, states); after != state || warned != 1 {
			t.Errorf("flip at %d: state %d, %d warnings; cut there: state %d", at, after, warned, state)
		}
	}
}

// TestDamagedIndex harms the log in each way: nothing but MetaPut's is lost,
// and what is put after stays.
func TestDamagedIndex(t *testing.T) {
	golden := t.TempDir()
	whole, part := prepare(t, golden, 100)
	old := filepath.Join(t.TempDir(), "old")
	copyTree(t, golden, old)
	s, _ := openStore(t, old)
	for i := range 20 {
		must(t, s.MetaPut("later", []byte{byte(i)}))
		must(t, s.commitIndex(nil))
	}
	must(t, s.Close())
	other := t.TempDir()
	prepare(t, other, 50)
	harms := maps.Clone(harms)
	harms["of another store"] = func(t *testing.T, path string, _ *rand.Rand) {
		p, err := os.ReadFile(logPath(other))
		must(t, err)
		must(t, os.WriteFile(path, p, 0o600))
	}
	harms["end of another"] = func(t *testing.T, path string, _ *rand.Rand) {
		mine, err := os.ReadFile(path)
		must(t, err)
		p, err := os.ReadFile(logPath(old))
		must(t, err)
		must(t, os.WriteFile(path, append(mine[:len(mine)/2], p[len(mine)/2:]...), 0o600))
	}
	harms["other files"] = func(t *testing.T, path string, _ *rand.Rand) {
		must(t, os.WriteFile(path+".new", []byte("left by a kill"), 0o600))
		must(t, os.Mkdir(filepath.Join(filepath.Dir(path), "odd"), 0o700))
	}
	harms["no folder"] = func(t *testing.T, path string, _ *rand.Rand) {
		must(t, os.RemoveAll(filepath.Dir(path)))
		must(t, os.WriteFile(filepath.Dir(path), nil, 0o600))
	}
	for name, harm := range harms {
		dir := t.TempDir()
		copyTree(t, golden, dir)
		harm(t, logPath(dir), rand.New(rand.NewPCG(5, uint64(len(name)))))
		for round := range 2 {
			s, w := openStore(t, dir)
			if got := s.Stats().Versions; got != 2 {
				t.Errorf("%s: %d versions", name, got)
			}
			p, err := s.MetaGet("k")
			if string(p) != "value" && (round > 0 || !errors.Is(err, ErrNotFound)) {
				t.Errorf("%s: %q, %v", name, p, err)
			}
			must(t, s.MetaPut("k", []byte("value")))
			for m, want := range map[*target]int{whole: 101, part: 40} {
				v := m.open(t, s)
				if got := m.checkAll(t, v); got != want {
					t.Errorf("%s: %d blocks", name, got)
				}
				must(t, v.Close())
			}
			must(t, s.Close())
			if round > 0 && w.count() != 0 {
				t.Errorf("%s: %v", name, w.all)
			}
			if names, _ := os.ReadDir(filepath.Join(dir, indexName)); len(names) != 1 {
				t.Errorf("%s: %v", name, names)
			}
		}
	}
}

// TestIndexWriteErrors: the index goes on in memory, says so once, and is on
// the disk once that works again.
func TestIndexWriteErrors(t *testing.T) {
	defer func() { syncFile = fdatasync }()
	broken := &os.PathError{Op: "fdatasync", Path: "log", Err: syscall.EIO}
	for name, harm := range map[string]func(t *testing.T, x *indexFile) (mend func()){
		"no room to add": func(t *testing.T, x *indexFile) func() {
			full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
			if err != nil {
				t.Skip(err)
			}
			x.close()
			x.f = full
			// It cannot be cut either, so the next one goes to a new file.
			return func() {}
		},
		"no sync": func(*testing.T, *indexFile) func() {
			syncFile = func(*os.File) error { return broken }
			return func() { syncFile = fdatasync }
		},
		"no file": func(t *testing.T, x *indexFile) func() {
			x.close()
			dir := x.dir
			x.dir = filepath.Join(dir, "not", "there")
			return func() { x.dir = dir }
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, w := openStore(t, dir)
			must(t, s.MetaPut("a", []byte("before")))
			must(t, s.commitIndex(nil))
			mend := harm(t, &s.index.file)
			failed := 0
			for i := range 5 {
				must(t, s.MetaPut("a", []byte("now")))
				must(t, s.MetaPut(fmt.Sprint("b", i), nil))
				if err := s.commitIndex(nil); err != nil {
					failed++
					if !errors.Is(err, broken) && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, os.ErrNotExist) {
						t.Error(err)
					}
				}
			}
			if failed == 0 || w.count() != 1 {
				t.Errorf("%d failures, warnings: %v", failed, w.all)
			}
			before := content(t, s)
			if before["ma"] != "\x00now" || len(before) != 6 {
				t.Errorf("in memory: %v", before)
			}
			mend()
			s.checkpoint()
			to := filepath.Join(t.TempDir(), "copy")
			copyTree(t, dir, to)
			if state, _ := stateOf(t, to, []map[string]string{{}, before}); state != 1 {
				t.Error("not durable after the repair")
			}
			must(t, s.Close())
		})
	}
}

// TestLogGrowth: the log is replaced when it has grown; keys that wait for the
// disk are bounded.
func TestLogGrowth(t *testing.T) {
	dir := t.TempDir()
	s, w := openStore(t, dir)
	value := bytes.Repeat([]byte("v"), 50<<10)
	largest, replaced := int64(0), 0
	for i := range 200 {
		before := s.index.file.f
		must(t, s.MetaPut(fmt.Sprint(i%5), value))
		must(t, s.commitIndex(nil))
		info, err := os.Stat(logPath(dir))
		must(t, err)
		if largest = max(largest, info.Size()); s.index.file.f != before {
			replaced++
		}
	}
	if largest > 3<<20 || replaced < 3 {
		t.Errorf("%d bytes, replaced %d times", largest, replaced)
	}
	for i := range 2*maxChanges/MaxMetaKey + 1 {
		must(t, s.MetaDelete(fmt.Sprintf("%0*d", MaxMetaKey, i)))
	}
	if !s.index.changed.all || len(s.index.changed.keys) != 0 {
		t.Errorf("%d keys wait", len(s.index.changed.keys))
	}
	want := content(t, s)
	must(t, s.Close())
	if state, _ := stateOf(t, dir, []map[string]string{{}, want}); state != 1 || w.count() != 0 {
		t.Errorf("state %d, warnings: %v", state, w.all)
	}
}

// fillIndex makes what 10,000 versions and as many headers take up.
func fillIndex(t testing.TB, s *Store, folders bool) {
	t.Helper()
	rng := rand.NewChaCha8([32]byte{1})
	var set []entry
	for i := range 10000 {
		key := Key{byte(i), byte(i >> 8)}
		name := provisionalName(key)
		if folders {
			must(t, os.Mkdir(filepath.Join(s.versionsDir(), name), 0o700))
		}
		set = append(set, keyEntry(key, name), accountEntry(name, account{key: key}))
		header := make([]byte, 600)
		rng.Read(header)
		must(t, s.MetaPut("header "+strings.Repeat("u", 60)+fmt.Sprint(i), header))
	}
	must(t, s.commitIndex(set))
}

// TestIndexMemory: what a large index costs, written and loaded.
func TestIndexMemory(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse)
	}
	dir := t.TempDir()
	before := heap()
	s := &Store{dir: dir}
	must(t, s.own())
	defer s.lock.Close()
	var err error
	s.index, err = openIndex(dir, func(err error) { t.Error(err) })
	must(t, err)
	t.Logf("empty: %d KiB", (heap()-before)>>10)
	for range 4 { // what is replaced must not pile up
		fillIndex(t, s, false)
		t.Logf("written: %d KiB", (heap()-before)>>10)
	}
	must(t, s.index.close())
	s.index = nil
	before = heap()
	s.index, err = openIndex(dir, func(err error) { t.Error(err) })
	must(t, err)
	got := heap() - before
	info, err := os.Stat(logPath(dir))
	must(t, err)
	t.Logf("loaded: %d KiB; file: %d KiB", got>>10, info.Size()>>10)
	if got > 30<<20 {
		t.Errorf("the index takes %d bytes", got)
	}
	if p, err := s.index.value("mheader " + strings.Repeat("u", 60) + "9999"); err != nil || len(p) != 601 {
		t.Errorf("%d bytes, %v", len(p), err)
	}
	must(t, s.index.close())
}
