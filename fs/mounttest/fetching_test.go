package mounttest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/line"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// TestEndOfLargeImage reads the last 64 KiB of a 512 MiB image from a server
// that gives 1 MB/s.
func TestEndOfLargeImage(t *testing.T) {
	t.Parallel()
	needMount(t)
	const length, tail, most = 512 << 20, 64 << 10, 2 << 20
	dir := folder(t)
	image := filepath.Join(dir, "big.img")
	must(t, fixture.Sparse(image, length, 1))
	must(t, fixture.Zsyncmake(image))
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: dir, BytesPerSecond: 1_000_000})
	m := mount(t, s.URL("/"))
	got := readAt(t, m.Path("big.img"), length-tail, tail)
	soon := s.Log(t)
	if want := readAt(t, image, length-tail, tail); !bytes.Equal(got, want) {
		t.Error("wrong bytes")
	}
	// Listing, header, records, data; a few more for probing and background work.
	if len(soon) > 12 {
		t.Errorf("%d requests until the read was done:\n%v", len(soon), soon)
	}
	if data := soon.Data(); len(data) > 4 || data.Bytes() > 1<<20 {
		t.Errorf("the data took %d requests and %d bytes:\n%v", len(data), data.Bytes(), soon)
	}
	m.Unmount() // requests under way end and are logged
	if all := s.Log(t); all.Bytes() > most {
		t.Errorf("%d bytes fetched, want at most %d:\n%v", all.Bytes(), most, all)
	}
}

// readAt reads with the kernel's readahead, as programs do.
func readAt(t *testing.T, path string, off int64, n int) []byte {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	b := make([]byte, n)
	if got, err := f.ReadAt(b, off); err != nil {
		t.Fatalf("read %d bytes at %d of %s: %d bytes, %v", n, off, path, got, err)
	}
	return b
}

// places are scattered offsets of 4 KiB pages in the first half of a file.
func places(length int64) []int64 {
	r := rand.New(rand.NewPCG(4, uint64(length)))
	var out []int64
	for range 40 {
		out = append(out, r.Int64N(length/2)&^4095)
	}
	return out
}

// TestStoreServesAgain: blocks read before cost no request after a new mount,
// and read with the server gone; other blocks give EIO then.
func TestStoreServesAgain(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	source := s.URL("/zsyncmake/")
	flags := append([]string{"--read-deadline", "3s"}, quiet...)
	want := filepath.Join(dir, "zsyncmake", imageFile)
	info, err := os.Stat(want)
	must(t, err)

	read := func(m *daemon.Mount) {
		t.Helper()
		for _, off := range places(info.Size()) {
			got, err := readcheck.DirectAt(m.Path(imageFile), off, 4096)
			if err != nil {
				t.Fatalf("read at %d: %v", off, err)
			}
			if !bytes.Equal(got, readAt(t, want, off, 4096)) {
				t.Fatalf("wrong bytes at %d", off)
			}
		}
		if err := readcheck.Whole(readcheck.Pair{Got: m.Path(textFile), Want: filepath.Join(dir, "zsyncmake", textFile)}); err != nil {
			t.Fatal(err)
		}
	}
	m := mount(t, source, flags...)
	read(m)
	m.Unmount()
	before := s.Log(t)
	if len(before.Data()) == 0 {
		t.Fatalf("no data was fetched:\n%v", before)
	}

	m = again(t, m, source, flags...)
	read(m)
	if more := s.Log(t)[len(before):]; len(more.Data()) != 0 {
		t.Errorf("data fetched again:\n%v", more.Data())
	}
	s.Stop()
	read(m)
	elsewhere(t, m, info.Size())
	m.Unmount()

	t.Run("mounted without the server", func(t *testing.T) {
		m = again(t, m, source, flags...)
		read(m)
		elsewhere(t, m, info.Size())
	})
}

// elsewhere reads what was never read before and wants EIO.
func elsewhere(t *testing.T, m *daemon.Mount, length int64) {
	t.Helper()
	err := within(t, "a read that cannot be answered", func() error {
		_, err := readcheck.DirectAt(m.Path(imageFile), (length*3/4)&^4095, 4096)
		return err
	})
	if !isErrno(err, unix.EIO) {
		t.Errorf("read of a missing block with the server gone: %v, want EIO", err)
	}
}

// TestThousandArtifacts: "ls -l" fetches headers only, and once.
func TestThousandArtifacts(t *testing.T) {
	t.Parallel()
	needMount(t)
	const count, perArtifact = 1000, 4096
	dir := folder(t)
	sizes := manyArtifacts(t, dir, count)
	s := serve(t, dir)
	m := mount(t, s.URL("/"), quiet...)
	compareSizes(t, listLong(t, m.Dir), sizes)
	log := s.Log(t)
	if data := log.Data(); len(data) != 0 {
		t.Errorf("%d data requests:\n%v", len(data), data)
	}
	bytesOf := map[string]int64{}
	for _, r := range log.Control() {
		bytesOf[r.Path] += r.Bytes
	}
	for path, n := range bytesOf {
		if n > perArtifact {
			t.Errorf("%s: %d bytes fetched, want at most %d:\n%v", path, n, perArtifact,
				log.Where(func(r webserver.Request) bool { return r.Path == path }))
		}
	}
	if len(bytesOf) != count || len(log) > count+count/10 {
		t.Errorf("%d requests for %d control files", len(log), len(bytesOf))
	}
	compareSizes(t, listLong(t, m.Dir), sizes)
	if more := s.Log(t)[len(log):]; len(more) != 0 {
		t.Errorf("the second ls -l made requests:\n%v", more)
	}
	m.Unmount()
	m = again(t, m, s.URL("/"), quiet...)
	compareSizes(t, listLong(t, m.Dir), sizes)
	if more := s.Log(t)[len(log):].Control(); more.Bytes() != 0 {
		t.Errorf("headers were fetched again after a new mount:\n%v", more)
	}
}

// manyArtifacts fills dir with count targets of ten lengths around 4 MiB, whose
// control files have much more than a header, and returns each one's length.
func manyArtifacts(t *testing.T, dir string, count int) map[string]int64 {
	t.Helper()
	sizes := map[string]int64{}
	for kind := range 10 {
		length := int64(4<<20 + kind*1001)
		first := filepath.Join(dir, fmt.Sprintf("kind%d.img", kind))
		must(t, fixture.Sparse(first, length, uint64(kind)))
		must(t, fixture.Zsyncmake(first))
		c, err := fixture.ReadControl(first + ".zsync")
		must(t, err)
		for i := kind; i < count; i += 10 {
			name := fmt.Sprintf("artifact-%04d.img", i)
			c.Set("Filename", name)
			c.Set("URL", name)
			must(t, c.Write(filepath.Join(dir, name+".zsync")))
			must(t, link(first, filepath.Join(dir, name)))
			sizes[name] = length
		}
		must(t, os.Remove(first))
		must(t, os.Remove(first+".zsync"))
	}
	return sizes
}

// listLong is what "ls -l" says: each name's size.
func listLong(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	cmd := exec.Command("ls", "-l", dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	r := daemon.Command(t, cmd)
	if r.Code != 0 || r.Errors != "" {
		t.Fatalf("ls -l: exit code %d: %s", r.Code, r.Errors)
	}
	sizes := map[string]int64{}
	for l := range strings.Lines(r.Output) {
		fields := strings.Fields(l)
		if len(fields) < 9 {
			continue // "total ..."
		}
		n, err := strconv.ParseInt(fields[4], 10, 64)
		must(t, err)
		sizes[fields[len(fields)-1]] = n
	}
	return sizes
}

func compareSizes(t *testing.T, got, want map[string]int64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
	wrong := 0
	for name, n := range want {
		if got[name] != n {
			if wrong++; wrong <= 5 {
				t.Errorf("%s has %d bytes, want %d", name, got[name], n)
			}
		}
	}
}

// TestKilledReader: a reader that waits for a server that does not answer can
// be killed, and what it waited for goes on for others.
func TestKilledReader(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	l, err := line.Open(s.Addr(), line.Options{})
	must(t, err)
	t.Cleanup(l.Close)
	m := mount(t, "http://"+l.Addr()+"/made/", "--read-deadline", "10m", "--refresh", "1h")
	if _, err := os.Stat(m.Path(newTar)); err != nil {
		t.Fatal(err)
	}
	l.Stall()
	cmd := exec.Command("cat", m.Path(newTar))
	must(t, cmd.Start())
	eventually(t, "cat reads", func() error { return waitsOn(cmd.Process.Pid, m.Path(newTar)) })
	must(t, cmd.Process.Kill())
	_ = within(t, "a killed reader", cmd.Wait)
	l.Resume()
	if err := readcheck.Whole(readcheck.Pair{Got: m.Path(newTar), Want: filepath.Join(dir, "made", newTar)}); err != nil {
		t.Error(err)
	}
}

// TestFailedReadIsTold: the status says which read failed last, and of what.
func TestFailedReadIsTold(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(50_000, 1))
	s := serve(t, dir)
	l, err := line.Open(s.Addr(), line.Options{})
	must(t, err)
	t.Cleanup(l.Close)
	m := mount(t, "http://"+l.Addr()+"/", "--read-deadline", "2s", "--refresh", "1h")
	_, err = os.Stat(m.Path("t.img"))
	must(t, err)
	l.Stall()
	if _, err := os.ReadFile(m.Path("t.img")); !errors.Is(err, syscall.EIO) {
		t.Errorf("the read ended with %v", err)
	}
	r := daemon.Command(t, m.Command("status", m.Dir))
	_, told, _ := strings.Cut(r.Output, "  failed ")
	told, _, _ = strings.Cut(told, "\n")
	if !strings.Contains(told, " ago: t.img: no data within the read deadline: ") || strings.Contains(told, "canceled") {
		t.Errorf("told %q of\n%v", told, r)
	}
}

// waitsOn is nil when a process has the file open and sleeps.
func waitsOn(pid int, path string) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return err
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return err
	}
	open := slices.ContainsFunc(links, func(l string) bool {
		to, err := os.Readlink(l)
		return err == nil && to == path
	})
	if !open || !strings.HasPrefix(state, "S") && !strings.HasPrefix(state, "D") {
		return fmt.Errorf("open: %v, state %.1s", open, state)
	}
	return nil
}
