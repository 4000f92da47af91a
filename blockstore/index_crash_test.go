package blockstore

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const crashIndexDir = "BLOCKSTORE_TEST_CRASH_INDEX_DIR"

// crashIndexWriter goes on from the step that dir holds, and prints each step
// that was made durable. Two steps in three are large, so that the log is
// replaced often.
func crashIndexWriter(dir string) {
	s, err := Open(dir, Options{CheckpointInterval: time.Hour})
	step := 0
	if err == nil {
		if p, err := s.MetaGet("step"); err == nil {
			step, _ = strconv.Atoi(string(p))
		}
	}
	for err == nil {
		step++
		if err = writeStep(s, step); err == nil {
			fmt.Println(step)
		}
	}
	fmt.Println("error:", err)
	os.Exit(1)
}

func stepValue(step int) string {
	return fmt.Sprintf("%0*d", 1+step%3*(metaPiece-500), step)
}

// writeStep changes three keys, one of them a sum of all before.
func writeStep(s *Store, step int) error {
	for _, err := range []error{
		s.MetaPut("step", []byte(strconv.Itoa(step))),
		s.MetaPut(fmt.Sprint("value ", step%7), []byte(stepValue(step))),
		s.MetaDelete(fmt.Sprint("value ", (step+3)%7)),
	} {
		if err != nil {
			return err
		}
	}
	return s.commitIndex(nil)
}

// checkSteps fails the test when s does not hold exactly what it held after
// some step, which it returns.
func checkSteps(t *testing.T, s *Store) int {
	t.Helper()
	p, err := s.MetaGet("step")
	if err == ErrNotFound {
		return 0
	}
	step, err := strconv.Atoi(string(p))
	must(t, err)
	want := map[int]int{}
	for i := max(1, step-20); i <= step; i++ {
		want[i%7] = i
		delete(want, (i+3)%7)
	}
	for slot := range 7 {
		p, err := s.MetaGet(fmt.Sprint("value ", slot))
		i, there := want[slot]
		if there && (err != nil || string(p) != stepValue(i)) || !there && err != ErrNotFound {
			t.Errorf("step %d: value %d: %d bytes, %v", step, slot, len(p), err)
		}
	}
	return step
}

// TestKillIndex kills a writer of metadata at any time: what is found is what
// was there after one of its checkpoints, and not one before the last that was
// told.
func TestKillIndex(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, uint64(os.Getpid())))
	for cycle := range 15 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashIndexDir+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines, told, killed := bufio.NewScanner(out), 0, rng.IntN(80)
		for n := 0; lines.Scan(); n++ {
			step, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatal(lines.Text())
			}
			told = step
			if n == killed {
				time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
				must(t, cmd.Process.Signal(syscall.SIGKILL))
			}
		}
		cmd.Wait()
		s, _ := openStore(t, dir)
		if step := checkSteps(t, s); step < told || step > told+1 {
			t.Errorf("cycle %d: step %d is there, %d was made durable", cycle, step, told)
		}
		must(t, s.Close())
	}
}
