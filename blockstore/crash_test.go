package blockstore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// TestCopyWhileWriting copies the folder while a writer goes on, which is
// about what a power cut leaves, and opens the copy: all that it claims must
// be right. (A file that is copied while it grows can be torn in every way.)
func TestCopyWhileWriting(t *testing.T) {
	dir := t.TempDir()
	m := makeTarget(t, 1, 3000*512+5, 512)
	s, err := Open(dir, Options{CheckpointInterval: time.Millisecond, CheckpointBytes: 64 << 10})
	must(t, err)
	defer s.Close()
	v := m.open(t, s)
	defer v.Close()
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		rng := rand.New(rand.NewPCG(1, 2))
		for at := 0; ; at += 997 {
			select {
			case <-stop:
				return
			default:
			}
			if at < len(m.control) {
				v.PutControl(m.control[at:min(at+997, len(m.control))], int64(at))
			}
			b := format.BlockID(rng.Int64N(int64(m.count())))
			v.Put(b, m.blocks(b, min(b+5, m.count())))
			s.MetaPut("k", m.data[:100])
			if rng.IntN(50) == 0 {
				v.Forget(format.BlockRange{Start: b, End: b + 100})
			}
		}
	})
	for i := range 8 {
		to := filepath.Join(t.TempDir(), "copy")
		copyTree(t, dir, to)
		other, _ := openStore(t, to)
		w := m.open(t, other)
		right := m.checkAll(t, w)
		m.heal(t, w)
		must(t, w.Close())
		must(t, other.Close())
		t.Logf("copy %d: %d blocks", i, right)
	}
	close(stop)
	done.Wait()
}

const crashDir = "BLOCKSTORE_TEST_CRASH_DIR"

// TestMain is, in a child process of a test that kills, a writer that goes on until it
// is killed. It prints a line for each checkpoint: how many blocks were put
// before it.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashWriter(dir)
	}
	if dir := os.Getenv(crashShareDir); dir != "" {
		crashShareWriter(dir)
	}
	if dir := os.Getenv(crashIndexDir); dir != "" {
		crashIndexWriter(dir)
	}
	os.Exit(m.Run())
}

func crashWriter(dir string) {
	s, err := Open(dir, Options{CheckpointInterval: 2 * time.Millisecond})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	m := makeTarget(&testing.B{}, 1, 2000*1024, 1024)
	v, err := s.OpenVersion(m.raw, m.header, testPlace)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	v.PutControl(m.control, 0)
	for b := format.BlockID(0); ; b = (b + 1) % m.count() {
		if err := v.Put(b, m.blocks(b, b+1)); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		if b%100 == 99 {
			if v.Checkpoint() == nil {
				fmt.Println(b + 1)
			}
		}
		if b == m.count()-1 {
			v.Forget(format.BlockRange{Start: b / 2, End: b})
		}
	}
}

func TestKill(t *testing.T) {
	dir := t.TempDir()
	m := makeTarget(t, 1, 2000*1024, 1024)
	before := int64(0)
	for i := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines, synced := bufio.NewScanner(out), int64(0)
		for range 1 + i*2 {
			if !lines.Scan() {
				break
			}
			if bytes.HasPrefix(lines.Bytes(), []byte("error")) {
				t.Error(lines.Text())
			}
			fmt.Sscan(lines.Text(), &synced)
		}
		must(t, cmd.Process.Signal(syscall.SIGKILL))
		cmd.Wait()
		s, _ := openStore(t, dir)
		v := m.open(t, s)
		if n := v.KnownCount(); n < synced || n < before {
			t.Errorf("cycle %d: %d blocks after %d were made durable", i, n, max(synced, before))
		}
		before = int64(m.checkAll(t, v))
		if before < synced {
			t.Errorf("cycle %d: %d blocks are right, %d were made durable", i, before, synced)
		}
		must(t, v.Close())
		must(t, s.Close())
	}
}

func TestFsyncError(t *testing.T) {
	defer func() { syncFile = fdatasync }()
	for _, part := range []string{dataName, controlName} {
		dir := t.TempDir()
		m := makeTarget(t, 1, 2000*512, 512)
		s, _ := openStore(t, dir)
		v := m.open(t, s)
		must(t, v.PutControl(m.control[:controlPage], 0))
		must(t, v.Put(0, m.blocks(0, 100)))
		must(t, v.Checkpoint())
		broken := errors.New("the disk is broken")
		syncFile = func(f *os.File) error {
			if filepath.Base(f.Name()) == part {
				return broken
			}
			return fdatasync(f)
		}
		must(t, v.PutControl(m.control[controlPage:], controlPage))
		must(t, v.Put(200, m.blocks(200, 300)))
		if err := v.Checkpoint(); !errors.Is(err, broken) {
			t.Fatalf("%s: Checkpoint: %v", part, err)
		}
		if n := v.KnownCount(); n != 100 {
			t.Errorf("%s: %d blocks are here", part, n)
		}
		if got := len(v.ControlMissing()); (part == controlName) != (got == 1) {
			t.Errorf("%s: missing %v", part, v.ControlMissing())
		}
		syncFile = fdatasync
		m.heal(t, v)
		must(t, v.Close())
		must(t, s.Close())
		s, w := openStore(t, dir)
		v = m.open(t, s)
		if m.checkAll(t, v) != 2000 || w.count() != 0 {
			t.Errorf("%s: blocks lost after the repair; %v", part, w.all)
		}
		must(t, v.Close())
		must(t, s.Close())
	}
}

// TestFull has /dev/full in place of a full disk.
func TestFull(t *testing.T) {
	m := makeTarget(t, 1, 200*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	defer v.Close()
	must(t, v.PutControl(m.control, 0))
	must(t, v.Put(0, m.blocks(0, 10)))
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	data := v.parts.data
	v.parts.data = &dataFile{File: full}
	err = v.Put(50, m.blocks(50, 60))
	v.parts.data = data
	full.Close()
	if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Put: %v", err)
	}
	if n, _ := v.Known(50, 60); n != 0 || v.KnownCount() != 10 {
		t.Errorf("%d blocks are here", v.KnownCount())
	}
	m.heal(t, v)
}
