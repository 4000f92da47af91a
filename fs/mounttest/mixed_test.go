package mounttest

import (
	"bytes"
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
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// smallCache has room for few of the versions.
const smallCache = "--cache-size=3M"

// mixture is a mount of versions that are made from one another, with all that may be
// done to them in any order.
type mixture struct {
	t      *testing.T
	rng    *rand.Rand
	dir    string
	server *webserver.Server
	mount  *daemon.Mount
	flags  []string
	names  []string            // published
	next   int                 // number of the next
	held   map[string]*os.File // opened and not closed
	maps   map[string][]byte   // in memory
	pinned map[string]bool
	done   []string // the steps
}

// TestTortureMixedVersions: versions come and go, are read in part and whole, are held
// open and in memory, made files of, kept, removed from the store, checked, evicted, while
// the daemon ends and dies. What is read is right, with whatever versions share.
func TestTortureMixedVersions(t *testing.T) {
	t.Parallel()
	needMount(t)
	made := 0
	for round := range trials(1, 60) {
		t.Run(strconv.Itoa(round), func(t *testing.T) { made += mixVersions(t) })
		if t.Failed() {
			break
		}
	}
	promised(t, "right bytes or an error", "versions mixed at random", made)
}

// mixVersions makes steps with a new store, and says how many.
func mixVersions(t *testing.T) (made int) {
	seed := uint64(time.Now().UnixNano())
	x := &mixture{t: t, rng: rand.New(rand.NewPCG(seed, 1)), dir: folder(t), held: map[string]*os.File{}, maps: map[string][]byte{}, pinned: map[string]bool{}}
	x.server = serve(t, x.dir)
	x.flags = []string{"--refresh=100ms", "--cache-min-free=0", "--fill=" + []string{"off", "sequential", "full"}[x.rng.IntN(3)]}
	if x.rng.IntN(3) == 0 {
		x.flags = append(x.flags, "--passthrough=off")
	}
	if x.rng.IntN(3) == 0 {
		x.flags = append(x.flags, smallCache)
	}
	defer func() {
		if t.Failed() {
			t.Logf("seed %d, %q, after %q", seed, x.flags, x.done)
		}
	}()
	x.publish()
	x.mount = mount(t, x.server.URL("/"), x.flags...)
	for made < 40 && !t.Failed() {
		x.step()
		made++
	}
	x.closeAll()
	if !t.Failed() {
		x.mount.Unmount()
	}
	return made
}

// step does one thing of many, and then reads some of a file.
func (x *mixture) step() {
	steps := []struct {
		name string
		do   func()
	}{
		{"publish", x.publish}, {"publish", x.publish}, {"publish", x.publish},
		{"withdraw", x.withdraw},
		{"read whole", x.readWhole}, {"read whole", x.readWhole}, {"read whole", x.readWhole},
		{"hold", x.hold}, {"hold", x.hold}, {"hold", x.hold},
		{"let go", x.letGo},
		{"map", x.mapFile}, {"unmap", x.unmap},
		{"get", x.get}, {"get", x.get},
		{"pin", x.pin},
		{"verify", func() { x.cache("verify") }},
		{"gc", func() { x.cache("gc") }},
		{"rm all", func() { x.cache("rm", "--all") }},
		{"wait", func() { time.Sleep(time.Duration(x.rng.IntN(800)) * time.Millisecond) }},
		{"remount", func() {
			x.closeAll()
			x.mount.Unmount()
			x.mount = again(x.t, x.mount, x.server.URL("/"), x.flags...)
		}},
		{"kill", func() {
			x.closeAll()
			x.mount.Signal(syscall.SIGKILL)
			x.mount = again(x.t, x.mount, x.server.URL("/"), x.flags...)
		}},
	}
	s := steps[x.rng.IntN(len(steps))]
	x.done = append(x.done, s.name)
	s.do()
	x.readSome()
}

// publish makes a version of one that is there: parts of it replaced, put in, left out and
// repeated, in blocks of some size.
func (x *mixture) publish() {
	data := fixture.Random(700_000+x.rng.IntN(5000), 77)
	if len(x.names) > 0 {
		var err error
		data, err = os.ReadFile(filepath.Join(x.dir, x.name()))
		must(x.t, err)
	}
	for range x.rng.IntN(4) {
		at, n := x.rng.IntN(len(data)-60_000), 1+x.rng.IntN(50_000)
		if x.rng.IntN(2) == 0 { // in whole blocks of any size
			at, n = at&^0x3fff, n|0x3fff
		}
		part := data[at:min(at+n, len(data))]
		switch x.rng.IntN(4) {
		case 0:
			data = slices.Concat(data[:at], fixture.Random(len(part), x.rng.Uint64()), data[at+len(part):])
		case 1:
			data = slices.Concat(data[:at], fixture.Random(1+x.rng.IntN(3000), x.rng.Uint64()), data[at:])
		case 2:
			data = slices.Concat(data, part) // again, at the end
		default:
			to := x.rng.IntN(len(data)-60_000) &^ 0x3fff
			data = slices.Concat(data[:to], part, data[to:])
		}
	}
	name := fmt.Sprintf("v-%d.img", x.next)
	x.next++
	path := filepath.Join(x.dir, name)
	must(x.t, os.WriteFile(path, data[:min(len(data), 1_500_000)], 0o644))
	out, err := exec.Command(binary(x.t), "make", "-b", strconv.Itoa(512<<x.rng.IntN(4)), path).CombinedOutput()
	if err != nil {
		x.t.Fatalf("make: %v: %s", err, out)
	}
	x.names = append(x.names, name)
	x.done = append(x.done, name)
}

// name is one of those that are published.
func (x *mixture) name() string { return x.names[x.rng.IntN(len(x.names))] }

// withdraw takes one of several from the server. The target stays, to compare with.
func (x *mixture) withdraw() {
	if len(x.names) < 3 {
		return
	}
	i := x.rng.IntN(len(x.names))
	must(x.t, os.Remove(filepath.Join(x.dir, x.names[i]+".zsync")))
	x.names = slices.Delete(x.names, i, i+1)
}

// seen waits until the mount shows name.
func (x *mixture) seen(name string) {
	x.done = append(x.done, name)
	eventually(x.t, name+" is there", func() error {
		_, err := os.Stat(x.mount.Path(name))
		return err
	})
}

func (x *mixture) readWhole() {
	name := x.name()
	x.seen(name)
	p := pairOf(x.mount, x.dir, name)
	_ = readcheck.DropPages(p.Got)
	if err := readcheck.Whole(p); err != nil {
		x.t.Errorf("%s: %v", name, err)
	}
}

// readSome reads some blocks of a file, and of all that are held, past the kernel's
// memory.
func (x *mixture) readSome() {
	name := x.name()
	f := x.open(name)
	x.compare(name, f, 20)
	f.Close()
	for name, f := range x.held {
		x.compare(name, f, 60)
	}
}

// compare reads count pieces of f, which is name.
func (x *mixture) compare(name string, f *os.File, count int) {
	want, err := os.ReadFile(filepath.Join(x.dir, name))
	must(x.t, err)
	const piece = 4096
	buf := readcheck.Aligned(piece)
	for range count {
		off := x.rng.IntN(len(want)/piece+1) * piece
		n, err := f.ReadAt(buf, int64(off))
		part := want[off:min(off+piece, len(want))]
		if n < len(part) {
			x.t.Errorf("%s: %d of %d bytes at %d: %v", name, n, len(part), off, err)
			return
		}
		if !bytes.Equal(buf[:len(part)], part) {
			x.t.Errorf("%s: %v at %d", name, readcheck.ErrWrong, off)
			return
		}
	}
}

// hold opens a file, and leaves it open: for the kernel to read by itself, if it can, or
// past its memory.
func (x *mixture) hold() {
	name := x.name()
	if x.held[name] != nil || len(x.held) > 3 {
		return
	}
	if x.rng.IntN(2) == 0 {
		x.held[name] = x.open(name)
		return
	}
	x.seen(name)
	f, err := os.Open(x.mount.Path(name))
	must(x.t, err)
	x.held[name] = f
}

// open opens a file once it is there, past the kernel's memory.
func (x *mixture) open(name string) *os.File {
	x.seen(name)
	f, err := os.OpenFile(x.mount.Path(name), os.O_RDONLY|syscall.O_DIRECT, 0)
	must(x.t, err)
	return f
}

// mapFile has a file in memory, without being open.
func (x *mixture) mapFile() {
	name := x.name()
	if x.maps[name] != nil || len(x.maps) > 1 {
		return
	}
	x.seen(name)
	f, err := os.Open(x.mount.Path(name))
	must(x.t, err)
	defer f.Close()
	info, err := f.Stat()
	must(x.t, err)
	x.maps[name], err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	must(x.t, err)
}

// unmap compares what is in memory before it lets go of it.
func (x *mixture) unmap() {
	for name, view := range x.maps {
		want, err := os.ReadFile(filepath.Join(x.dir, name))
		must(x.t, err)
		if !bytes.Equal(view, want) {
			x.t.Errorf("%s in memory: %v", name, readcheck.ErrWrong)
		}
		must(x.t, unix.Munmap(view))
		delete(x.maps, name)
	}
}

// get makes a file of a version, through the daemon's store. A small store may be full of
// what is in use.
func (x *mixture) get() {
	name := x.name()
	x.done = append(x.done, name)
	out := filepath.Join(x.t.TempDir(), "out")
	r := getFile(x.t, x.mount, "-o", out, x.server.URL("/"+name+".zsync"))
	if r.Code != 0 {
		x.refused("get", r)
		return
	}
	if err := readcheck.Whole(readcheck.Pair{Got: out, Want: filepath.Join(x.dir, name)}); err != nil {
		x.t.Errorf("get of %s: %v", name, err)
	}
}

// pin keeps a version that may go, or lets all go that are kept.
func (x *mixture) pin() {
	args := []string{"pin", "--cache-dir", x.mount.CacheDir}
	if len(x.pinned) > 1 {
		for name := range x.pinned {
			args = append(args, "--remove", name)
		}
		clear(x.pinned)
		_ = daemon.Command(x.t, x.mount.Command(args...)) // what was removed is not found
		return
	}
	name := x.name()
	x.done = append(x.done, name)
	x.pinned[name] = true
	if r := daemon.Command(x.t, x.mount.Command(append(args, x.server.URL("/"+name+".zsync"))...)); r.Code != 0 {
		x.refused("pin", r)
	}
}

// refused is a command that may only fail for want of room.
func (x *mixture) refused(what string, r daemon.Result) {
	if !slices.Contains(x.flags, smallCache) || !strings.Contains(r.Errors, "no room") {
		x.t.Errorf("%s: %v", what, r)
	}
}

func (x *mixture) letGo() {
	for name, f := range x.held {
		f.Close()
		delete(x.held, name)
		return
	}
}

// closeAll ends all use of the mount.
func (x *mixture) closeAll() {
	x.unmap()
	for len(x.held) > 0 {
		x.letGo()
	}
}

// cache is "zsyncfs cache". It must find no damage; versions may be in use.
func (x *mixture) cache(args ...string) {
	args = append([]string{"cache", args[0], "--cache-dir", x.mount.CacheDir}, args[1:]...)
	if r := daemon.Command(x.t, x.mount.Command(args...)); r.Code != 0 && args[1] == "verify" || strings.Contains(r.Errors, "damage") {
		x.t.Errorf("%q: %v", args, r)
	}
}
