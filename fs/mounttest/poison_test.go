package mounttest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/forged"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// poison is a target, and the same with one block that is forged: it has the record of
// the right one, as far as the target's control file keeps it.
type poison struct {
	target, evil []byte
	at           int64 // where the forged block begins
}

// poisonStarts are where the searches for the forged blocks of the trials begin: at what
// they found, which takes half a minute of a CPU from 0 on.
var poisonStarts = []uint64{
	1826555, 30183405, 1975973, 6525306, 1027406, 62232768, 7013823, 4063589, 33664152, 763640,
	11330628, 5659936,
}

// poisonTrials is how many trials scripts/torture makes of each test.
var poisonTrials = len(poisonStarts)

// newPoison makes the poison of one trial.
func newPoison(t *testing.T, trial int) poison {
	t.Helper()
	const blocks = 1024 // 512 KiB: larger than what is verified before its first byte
	at, start := 700+trial, poisonStarts[trial]
	target, evil, number, err := forged.Target(blocks, at, uint64(trial), start)
	must(t, err)
	if number != start {
		t.Logf("trial %d: the search should start at %d", trial, number)
	}
	return poison{target, evil, int64(at) * forged.BlockSize}
}

// putControl makes NAME.zsync in dir, of data: cut short, or with all of its checksums.
func putControl(t *testing.T, dir, name string, data []byte, cut bool, urls ...string) {
	t.Helper()
	if urls == nil {
		urls = []string{name}
	}
	o := format.BuilderOptions{Filename: name, BlockSize: forged.BlockSize, URLs: urls}
	if cut {
		o.Lengths = forged.Cut
	}
	b, err := format.NewBuilder(o)
	must(t, err)
	_, err = b.Write(data)
	must(t, err)
	var control bytes.Buffer
	_, err = b.WriteTo(&control)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, name+".zsync"), control.Bytes(), 0o644))
}

// put publishes NAME in dir.
func (p poison) put(t *testing.T, dir, name string, data []byte, cut bool) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	putControl(t, dir, name, data, cut)
}

// Names of the poison: the evil origin chooses its own.
const (
	poisonFile = "disk-2.img"
	alikeFile  = "disk-1.img"
	unlikeFile = "quite another thing" // found by its sketch
)

// origins are two web servers: an evil one, and that of the target.
type origins struct {
	poison
	evil, good       *webserver.Server
	evilDir, goodDir string
}

func newOrigins(t *testing.T, trial int, evilName string) *origins {
	t.Helper()
	o := &origins{poison: newPoison(t, trial), evilDir: folder(t), goodDir: folder(t)}
	o.put(t, o.evilDir, evilName, o.poison.evil, false)
	o.put(t, o.goodDir, poisonFile, o.target, true)
	o.evil, o.good = serve(t, o.evilDir), serve(t, o.goodDir)
	return o
}

// allFetched: all of the target came from its own server.
func (o *origins) allFetched(t *testing.T, what string) {
	t.Helper()
	if n := o.good.Log(t).Data().Bytes(); n < int64(len(o.target)) {
		t.Errorf("%s: only %d of %d bytes came from the file's own server", what, n, len(o.target))
	}
}

const byChance = "match by chance"

// TestTorturePoisonAcross: what an evil origin published, and is in the store, is not
// given to readers of another one: not in one daemon, not after a restart, not by get,
// whatever it is called.
func TestTorturePoisonAcross(t *testing.T) {
	t.Parallel()
	needMount(t)
	made := trials(1, poisonTrials)
	for trial := range made {
		tests := map[string]func(*testing.T){}
		for _, name := range []string{poisonFile, alikeFile, unlikeFile} {
			tests["one daemon, "+name] = func(t *testing.T) { poisonMounts(t, trial, name, false) }
			tests["restart, "+name] = func(t *testing.T) { poisonMounts(t, trial, name, true) }
			tests["get, "+name] = func(t *testing.T) { poisonGet(t, trial, name) }
		}
		sideBySide(t, tests)
	}
	promised(t, "no poison across origins", "forged blocks", made*9)
}

// poisonMounts reads the evil file by a mount, and the target by another of the same
// store: of the same daemon, or of the next.
func poisonMounts(t *testing.T, trial int, name string, restart bool) {
	t.Helper()
	o := newOrigins(t, trial, name)
	m := mount(t, o.evil.URL("/"), quiet...)
	must(t, readcheck.Whole(pairOf(m, o.evilDir, name)))
	waitVerified(t, m.Path(name))
	if restart {
		m.Unmount()
	}
	second := daemon.Start(t, daemon.Options{Binary: binary(t), Source: o.good.URL("/"), Flags: quiet, CacheDir: m.CacheDir})
	o.right(t, second, fmt.Sprintf("mounts, evil %q, restart %v", name, restart))
	o.allFetched(t, "a mount")
	if log := second.Log(); strings.Contains(log, byChance) {
		t.Errorf("it was used, and found:\n%s", log)
	}
	if second.Unmount(); !restart {
		m.Unmount()
	}
}

// right reads the target, by the part with the forged block first.
func (o *origins) right(t *testing.T, m *daemon.Mount, what string) {
	t.Helper()
	got, err := readcheck.DirectAt(m.Path(poisonFile), o.at&^4095, 4096)
	if err != nil || !bytes.Equal(got, o.target[o.at&^4095:][:4096]) {
		t.Errorf("%s: the poisoned place: wrong bytes, or %v", what, err)
	}
	if err := readcheck.Whole(pairOf(m, o.goodDir, poisonFile)); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	waitVerified(t, m.Path(poisonFile))
}

// poisonGet downloads both through one store.
func poisonGet(t *testing.T, trial int, name string) {
	t.Helper()
	o := newOrigins(t, trial, name)
	m := daemon.New(t, daemon.Options{Binary: binary(t)})
	out := filepath.Join(t.TempDir(), "evil")
	if r := getFile(t, m, o.evil.URL("/"+url.PathEscape(name)+".zsync"), "-o", out); r.Code != 0 {
		t.Fatal(r)
	}
	must(t, readcheck.Whole(readcheck.Pair{Got: out, Want: filepath.Join(o.evilDir, name)}))
	out = filepath.Join(t.TempDir(), "good")
	r := getFile(t, m, o.good.URL("/"+poisonFile+".zsync"), "-o", out)
	if r.Code != 0 || !strings.HasPrefix(r.Output, fmt.Sprintf("used 0 local, fetched %d", len(o.target))) {
		t.Errorf("get after an evil %q: %v", name, r)
	}
	must(t, readcheck.Whole(readcheck.Pair{Got: out, Want: filepath.Join(o.goodDir, poisonFile)}))
	o.allFetched(t, "get")
}

// TestTorturePoisonWithin: where a forged block may be used, because it is of the same
// origin or of a seed that the user named, the digest of the whole finds it. What was
// reused is fetched, the state becomes verified, and it is not reused again. With
// --verify=strict nobody ever reads it.
func TestTorturePoisonWithin(t *testing.T) {
	t.Parallel()
	needMount(t)
	made := trials(1, poisonTrials)
	for trial := range made {
		tests := map[string]func(*testing.T){}
		for _, strict := range []bool{false, true} {
			tests[fmt.Sprint("version, strict ", strict)] = func(t *testing.T) { poisonVersion(t, trial, strict) }
			tests[fmt.Sprint("seed, strict ", strict)] = func(t *testing.T) { poisonSeed(t, trial, strict) }
		}
		tests["version, closed"] = func(t *testing.T) { poisonClosed(t, trial) }
		tests["get beside"] = func(t *testing.T) { poisonBeside(t, trial) }
		sideBySide(t, tests)
	}
	promised(t, "poison within an origin is repaired", "forged blocks", made*6)
}

// strictly are flags, with --verify=strict or not.
func strictly(strict bool, flags ...string) []string {
	flags = append(flags, quiet...)
	if strict {
		flags = append(flags, "--verify=strict")
	}
	return flags
}

// poisonVersion has an older version of the same origin with the forged block.
func poisonVersion(t *testing.T, trial int, strict bool) {
	t.Helper()
	flags := strictly(strict)
	o, m := newPoisonVersion(t, trial, flags)
	o.repaired(t, m, strict)
	o.notAgain(t, m, flags)
}

// poisonClosed reads the target once and closes it, before it is verified. What the kernel
// has kept of the forged block must be gone when that was repaired.
func poisonClosed(t *testing.T, trial int) {
	t.Helper()
	o, m := newPoisonVersion(t, trial, strictly(false, "--passthrough=off"))
	if _, err := os.ReadFile(m.Path(poisonFile)); err != nil {
		t.Error(err)
	}
	o.reread(t, m)
}

// poisonBeside reads the forged block of a target of which not all is here, so that it is
// verified only when get brings the rest. What the kernel has kept of it must be gone then.
func poisonBeside(t *testing.T, trial int) {
	t.Helper()
	o := &origins{poison: newPoison(t, trial), goodDir: folder(t)}
	clear(o.poison.evil[100<<10 : 200<<10]) // what get brings
	o.publish(t)
	m := o.mountAfterEvil(t, strictly(false, "--passthrough=off"))
	f, err := os.Open(m.Path(poisonFile))
	must(t, err)
	defer f.Close()
	at, got := o.at&^4095, make([]byte, 4096)
	_, err = f.ReadAt(got, at)
	must(t, err)
	if bytes.Equal(got, o.target[at:at+4096]) {
		t.Error("the forged block was not used")
	}
	out := filepath.Join(t.TempDir(), "out")
	if r := getFile(t, m, o.good.URL("/"+poisonFile+".zsync"), "-o", out); r.Code != 0 {
		t.Error(r)
	}
	_, err = f.ReadAt(got, at)
	if err != nil || !bytes.Equal(got, o.target[at:at+4096]) {
		t.Errorf("the kernel has the forged block still, or %v", err)
	}
	must(t, readcheck.Whole(pairOf(m, o.goodDir, poisonFile)))
}

// newPoisonVersion mounts an origin that has an older version with the forged block, of
// which the store has all.
func newPoisonVersion(t *testing.T, trial int, flags []string) (*origins, *daemon.Mount) {
	t.Helper()
	o := &origins{poison: newPoison(t, trial), goodDir: folder(t)}
	o.publish(t)
	return o, o.mountAfterEvil(t, flags)
}

// publish puts the older version, which has the forged block, and the target on one server.
func (o *origins) publish(t *testing.T) {
	t.Helper()
	o.put(t, o.goodDir, alikeFile, o.poison.evil, false)
	o.put(t, o.goodDir, poisonFile, o.target, true)
	o.good = serve(t, o.goodDir)
}

// mountAfterEvil mounts that server, and reads the older version.
func (o *origins) mountAfterEvil(t *testing.T, flags []string) *daemon.Mount {
	t.Helper()
	m := mount(t, o.good.URL("/"), flags...)
	must(t, readcheck.Whole(pairOf(m, o.goodDir, alikeFile)))
	waitVerified(t, m.Path(alikeFile))
	return m
}

// poisonSeed has a seed with the forged block.
func poisonSeed(t *testing.T, trial int, strict bool) {
	t.Helper()
	o := &origins{poison: newPoison(t, trial), goodDir: folder(t)}
	o.put(t, o.goodDir, poisonFile, o.target, true)
	o.good = serve(t, o.goodDir)
	seed := filepath.Join(folder(t), alikeFile)
	must(t, os.WriteFile(seed, o.poison.evil, 0o644))
	flags := strictly(strict, "--seed="+seed)
	m := mount(t, o.good.URL("/"), flags...)
	o.repaired(t, m, strict)
	o.notAgain(t, m, flags)

	// get takes the seed too, and delivers nothing that was not verified.
	g := daemon.New(t, daemon.Options{Binary: binary(t)})
	out := filepath.Join(t.TempDir(), "out")
	if r := getFile(t, g, o.good.URL("/"+poisonFile+".zsync"), "-o", out, "-i", seed); r.Code != 0 || strings.HasPrefix(r.Output, "used 0 ") && !strings.Contains(r.Errors, "chance") {
		t.Errorf("get with a poisoned seed: %v", r)
	}
	must(t, readcheck.Whole(readcheck.Pair{Got: out, Want: filepath.Join(o.goodDir, poisonFile)}))
}

// repaired reads the target until it is right. Nothing but the forged block may be wrong
// before, and with strict not even that.
func (o *origins) repaired(t *testing.T, m *daemon.Mount, strict bool) {
	t.Helper()
	f, err := os.Open(m.Path(poisonFile))
	must(t, err)
	defer f.Close()
	got := make([]byte, len(o.target))
	_, err = f.ReadAt(got, 0)
	must(t, err)
	if !bytes.Equal(got, o.target) && (strict || !bytes.Equal(got, o.poison.evil)) {
		t.Error("other bytes than those of the forged block are wrong, or strict has let it through")
	}
	waitVerified(t, m.Path(poisonFile))
	// Also what was open before, and what the kernel kept of it.
	_, err = f.ReadAt(got, 0)
	if err != nil || !bytes.Equal(got, o.target) {
		t.Errorf("the file that was open has the forged block still, or %v", err)
	}
	o.reread(t, m)
}

// reread reads the target when it was verified.
func (o *origins) reread(t *testing.T, m *daemon.Mount) {
	t.Helper()
	waitVerified(t, m.Path(poisonFile))
	must(t, readcheck.Whole(pairOf(m, o.goodDir, poisonFile)))
	if !strings.Contains(m.Log(), byChance) {
		t.Errorf("the log does not tell, or the forged block was not used:\n%s", m.Log())
	}
}

// notAgain: after a restart, and after the version was removed, the forged block is not
// used for it again.
func (o *origins) notAgain(t *testing.T, m *daemon.Mount, flags []string) {
	t.Helper()
	m.Unmount()
	if r := daemon.Command(t, m.Command("cache", "rm", "--cache-dir", m.CacheDir, poisonFile)); r.Code != 0 {
		t.Fatal(r)
	}
	told, sent := strings.Count(m.Log(), byChance), o.good.Log(t).Data().Bytes()
	m = again(t, m, o.good.URL("/"), flags...)
	o.right(t, m, "the next time")
	if n := strings.Count(m.Log(), byChance); n != told {
		t.Errorf("it was used again:\n%s", m.Log())
	}
	if n := o.good.Log(t).Data().Bytes() - sent; n < int64(len(o.target)) {
		t.Errorf("only %d of %d bytes were fetched", n, len(o.target))
	}
	m.Unmount()
}

// TestTorturePoisonOnTheWay: a mirror, or somebody on the line, sends the forged block
// in the answers to range requests. Who reads gets the right bytes of another source or
// an error, once the whole is here; it is never called verified.
func TestTorturePoisonOnTheWay(t *testing.T) {
	t.Parallel()
	needMount(t)
	made := trials(1, poisonTrials)
	for trial := range made {
		sideBySide(t, map[string]func(*testing.T){
			"source": func(t *testing.T) { poisonAnswers(t, trial, false) },
			"mirror": func(t *testing.T) { poisonAnswers(t, trial, true) },
		})
	}
	promised(t, "poison on the way is found", "forged blocks", made*2)
}

// poisonAnswers has the source itself, or a host that the control file names before it,
// send the forged block.
func poisonAnswers(t *testing.T, trial int, mirror bool) {
	t.Helper()
	o := &origins{poison: newPoison(t, trial), goodDir: folder(t)}
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+poisonFile {
			http.FileServer(http.Dir(o.goodDir)).ServeHTTP(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(o.poison.evil))
	}))
	t.Cleanup(liar.Close)
	o.put(t, o.goodDir, poisonFile, o.target, true)
	source, flags := liar.URL, quiet
	if mirror {
		putControl(t, o.goodDir, poisonFile, o.target, true, liar.URL+"/"+poisonFile, poisonFile)
		o.good = serve(t, o.goodDir)
		source, flags = o.good.URL(""), append([]string{"--allow-private"}, quiet...)
	}
	m := mount(t, source+"/", flags...)
	path := m.Path(poisonFile)
	_, _ = os.ReadFile(path)
	state := ""
	eventually(t, "the whole was looked at", func() (err error) {
		state, err = xattr(path, "user.zsync.state")
		if err == nil && state == "provisional" {
			_, _ = os.ReadFile(path)
			err = fmt.Errorf("it is %s", state)
		}
		return err
	})
	must(t, readcheck.DropPages(path))
	got, err := os.ReadFile(path)
	switch {
	case state == "verified" && (err != nil || !bytes.Equal(got, o.target)):
		t.Errorf("it is called verified, but its bytes are wrong, or %v", err)
	case state == "suspect" && !isErrno(err, unix.EIO):
		t.Errorf("it is suspect, and a read gives %d bytes, %v", len(got), err)
	case state != "verified" && state != "suspect":
		t.Errorf("its state is %q", state)
	}
	if log := m.Log(); !strings.Contains(log, "digest") && !strings.Contains(log, "SHA-") {
		t.Errorf("the log does not tell:\n%s", log)
	}
	t.Logf("mirror %v: %s", mirror, state)
	unmount(t, m)
}
