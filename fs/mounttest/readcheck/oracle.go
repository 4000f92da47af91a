package readcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// OracleOptions say what an oracle reads.
type OracleOptions struct {
	// Pairs are the files, all with an original that does not change.
	Pairs []Pair
	// Seed makes the places and ways of reading.
	Seed uint64
	// Readers go on side by side; default: one for each way to read.
	Readers int
	// Longest is how many bytes one read asks for at most; default 256 KiB.
	Longest int
}

// OracleResult is what an oracle saw.
type OracleResult struct {
	// Reads is how many reads there were; Failed is how many of them ended with an
	// error or early. Of the others every byte was compared.
	Reads, Failed int64
	// Ways is how many there were by each way to read, failed ones left out.
	Ways map[string]int64
	// Wrong are the places of wrong bytes, the first few.
	Wrong []string
	// Slowest is how long one read took at most, from the opening of the file on, and
	// SlowestWay which.
	Slowest    time.Duration
	SlowestWay string
	// SlowestCall is how long one system call of a read took at most, or one page of a
	// map, and SlowestCallWay which.
	SlowestCall    time.Duration
	SlowestCallWay string
	// Errors has one text for each kind of error.
	Errors map[string]int64
}

// Oracle reads files at random places in every way, in a process of its own, until
// it is stopped.
type Oracle struct {
	cmd  *exec.Cmd
	stop io.WriteCloser
	out  io.ReadCloser
}

// oracleVariable has the options for the child.
const oracleVariable = "ZSYNCFS_READCHECK_ORACLE"

// StartOracle begins to read. The process ends with Stop, or with this one.
func StartOracle(o OracleOptions) (*Oracle, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), oracleVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	stop, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return &Oracle{cmd, stop, out}, cmd.Start()
}

// PID is the process that reads.
func (o *Oracle) PID() int { return o.cmd.Process.Pid }

// Stop ends the reading and waits for reads that are on their way, but not longer
// than patience: then the process is killed, and that is an error.
func (o *Oracle) Stop(patience time.Duration) (*OracleResult, error) {
	tooLong := time.AfterFunc(patience, func() { _ = o.cmd.Process.Kill() })
	defer tooLong.Stop()
	o.stop.Close()
	var r OracleResult
	err := json.NewDecoder(o.out).Decode(&r)
	if wait := o.cmd.Wait(); err != nil {
		return nil, fmt.Errorf("readers did not come to an end in %v: %w, %w", patience, err, wait)
	}
	return &r, nil
}

// runOracle is the child.
func runOracle(text string) error {
	var o OracleOptions
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	if o.Readers == 0 {
		o.Readers = len(ways)
	}
	if o.Longest == 0 {
		o.Longest = 256 << 10
	}
	runtime.GOMAXPROCS(o.Readers + 4) // a page fault holds one until it is answered
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	t := &tally{result: OracleResult{Ways: map[string]int64{}, Errors: map[string]int64{}}}
	var readers sync.WaitGroup
	for i := range o.Readers {
		readers.Go(func() {
			debug.SetPanicOnFault(true) // a page that cannot be read
			rng := rand.New(rand.NewPCG(o.Seed, uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
					t.one(o.Pairs[rng.IntN(len(o.Pairs))], ways[rng.IntN(len(ways))], rng, o.Longest)
				}
			}
		})
	}
	readers.Wait()
	return json.NewEncoder(os.Stdout).Encode(&t.result)
}

type tally struct {
	mu     sync.Mutex
	result OracleResult // guarded by mu
}

// mostWrong is how many wrong places are kept.
const mostWrong = 10

// one is one read.
func (t *tally) one(p Pair, w way, rng *rand.Rand, longest int) {
	want, err := os.Open(p.Want)
	if err != nil {
		t.add(w, 0, err, "")
		return
	}
	defer want.Close()
	s, err := want.Stat()
	if err != nil || s.Size() == 0 {
		t.add(w, 0, err, "")
		return
	}
	off := rng.Int64N(s.Size())
	n := min(1+rng.Int64N(1<<rng.IntN(1+log2(longest))), s.Size()-off)
	if rng.IntN(4) == 0 {
		_ = DropPages(p.Got) // so that the daemon is asked
	}
	c := calls{}
	start := time.Now()
	got, at, err := w.read(&c, p.Got, off, int(n))
	took := time.Since(start)
	t.addCall(w, c)
	original := make([]byte, len(got))
	if _, err := want.ReadAt(original, at); err != nil && !errors.Is(err, io.EOF) {
		t.add(w, took, err, "")
		return
	}
	wrong := ""
	if err := equal(got, original, at); err != nil {
		wrong = fmt.Sprintf("%s by %s: %v", p.Got, w.name, err)
	}
	if err == nil && at+int64(len(got)) < off+n {
		err = errEarly
	}
	t.add(w, took, err, wrong)
}

// errEarly is an end before the end of the file, or a read of a part.
var errEarly = errors.New("fewer bytes than there are")

func log2(n int) (bits int) {
	for n > 1 {
		n >>= 1
		bits++
	}
	return bits
}

func (t *tally) add(w way, took time.Duration, err error, wrong string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.result
	r.Reads++
	if err != nil {
		r.Failed++
		var errno syscall.Errno
		text := err.Error()
		if errors.As(err, &errno) {
			text = errno.Error()
		}
		var opening *os.PathError // of os.Open; the other calls give bare numbers
		if errors.As(err, &opening) {
			text = opening.Op + ": " + text
		}
		r.Errors[w.name+": "+text]++
	} else {
		r.Ways[w.name]++
	}
	if wrong != "" && len(r.Wrong) < mostWrong {
		r.Wrong = append(r.Wrong, wrong)
	}
	if took > r.Slowest {
		r.Slowest, r.SlowestWay = took, w.name
	}
}

// addCall takes in how long the calls of one read took.
func (t *tally) addCall(w way, c calls) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := &t.result; c.slowest > r.SlowestCall {
		r.SlowestCall, r.SlowestCallWay = c.slowest, w.name+": "+c.name
	}
}

// calls measures the system calls of one read.
type calls struct {
	slowest time.Duration
	name    string
}

// took is to be deferred, or called, at the end of a call that began at start.
func (c *calls) took(name string, start time.Time) {
	if d := time.Since(start); d > c.slowest {
		c.slowest, c.name = d, name
	}
}

// open opens path for reading.
func (c *calls) open(path string, flags int) (*os.File, error) {
	defer c.took("open", time.Now())
	return os.OpenFile(path, os.O_RDONLY|flags, 0)
}

// way is one way to read. It returns bytes and where they begin, which is off or
// before it, also beside an error.
type way struct {
	name string
	read func(c *calls, path string, off int64, n int) (got []byte, at int64, err error)
}

var ways = []way{
	{"pread", readPlain},
	{"mmap", readMapped},
	{"O_DIRECT", readDirect},
	{"sendfile", readSendfile},
	{"splice", readSpliced},
}

func readPlain(c *calls, path string, off int64, n int) ([]byte, int64, error) {
	f, err := c.open(path, 0)
	if err != nil {
		return nil, off, err
	}
	defer f.Close()
	b, done := make([]byte, n), 0
	for done < n && err == nil {
		start := time.Now()
		var some int
		some, err = unix.Pread(int(f.Fd()), b[done:], off+int64(done))
		c.took("pread", start)
		if some <= 0 {
			break
		}
		done += some
	}
	return b[:done], off, err
}

func readDirect(c *calls, path string, off int64, n int) ([]byte, int64, error) {
	at := off &^ 4095
	f, err := c.open(path, syscall.O_DIRECT)
	if err != nil {
		return nil, at, err
	}
	defer f.Close()
	b := Aligned((n + int(off-at) + 4095) &^ 4095)
	defer c.took("pread", time.Now())
	some, err := unix.Pread(int(f.Fd()), b, at)
	return b[:max(some, 0)], at, err
}

// readMapped copies out of a map; what cannot be read is a fault, and an error.
func readMapped(c *calls, path string, off int64, n int) (b []byte, at int64, err error) {
	f, err := c.open(path, 0)
	if err != nil {
		return nil, off, err
	}
	defer f.Close()
	at = off &^ int64(os.Getpagesize()-1)
	m, err := unix.Mmap(int(f.Fd()), at, n+int(off-at), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, off, err
	}
	defer func() { err = errors.Join(err, unix.Munmap(m)) }()
	defer func() {
		if fault := recover(); fault != nil {
			b, err = nil, errFault
		}
	}()
	b = make([]byte, 0, len(m))
	for page := 0; page < len(m); page += os.Getpagesize() {
		b = append(b, c.touch(m[page:min(page+os.Getpagesize(), len(m))])...)
	}
	return b, at, nil
}

// touch is page, which is in a map.
func (c *calls) touch(page []byte) []byte {
	defer c.took("a page", time.Now())
	return append([]byte(nil), page...)
}

var errFault = errors.New("a fault (SIGBUS)")

// readSendfile has the kernel copy into a file in memory.
func readSendfile(c *calls, path string, off int64, n int) ([]byte, int64, error) {
	f, err := c.open(path, 0)
	if err != nil {
		return nil, off, err
	}
	defer f.Close()
	to, err := unix.MemfdCreate("readcheck", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, off, err
	}
	defer unix.Close(to)
	from := off
	done := 0
	for done < n {
		var some int
		start := time.Now()
		some, err = unix.Sendfile(to, int(f.Fd()), &from, n-done)
		c.took("sendfile", start)
		if err != nil || some <= 0 {
			break
		}
		done += some
	}
	b := make([]byte, done)
	if _, err := unix.Pread(to, b, 0); err != nil {
		return nil, off, err
	}
	return b, off, err
}

// readSpliced passes pages through a pipe.
func readSpliced(c *calls, path string, off int64, n int) ([]byte, int64, error) {
	f, err := c.open(path, 0)
	if err != nil {
		return nil, off, err
	}
	defer f.Close()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, off, err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	b := make([]byte, 0, n)
	from := off
	for len(b) < n {
		start := time.Now()
		some, err := unix.Splice(int(f.Fd()), &from, pipe[1], nil, min(n-len(b), 64<<10), 0)
		c.took("splice", start)
		if err != nil || some <= 0 {
			return b, off, err
		}
		for end := len(b) + int(some); len(b) < end; {
			k, err := unix.Read(pipe[0], b[len(b):end])
			if err != nil {
				return b, off, err
			}
			b = b[:len(b)+k]
		}
	}
	return b, off, nil
}
