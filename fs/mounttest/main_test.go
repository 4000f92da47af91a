package mounttest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/faultydisk"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/versions"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// base is the folder of this run: the program and the shared fixtures.
var base string

func TestMain(m *testing.M) {
	readcheck.RunChild()
	versions.RunChild()
	faultydisk.RunChild()
	// By default the race detector has every program wait for a second at its end.
	if _, set := os.LookupEnv("GORACE"); !set {
		os.Setenv("GORACE", "atexit_sleep_ms=50")
	}
	os.Exit(runIn(m))
}

func runIn(m *testing.M) int {
	var err error
	if base, err = os.MkdirTemp("", "mounttest-"); err == nil {
		err = os.Chmod(base, 0o755) // servers and mounts of other users
	}
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(base)
	return m.Run()
}

// needMount skips the test where nothing can be mounted.
func needMount(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no mounts")
	}
	if err := daemon.FUSE(); err != nil {
		t.Skip(err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("this test needs root")
	}
}

func needProgram(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
}

// must fails the test for an error; a missing program skips it.
func must(t *testing.T, err error) {
	t.Helper()
	var missing *fixture.MissingError
	if errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var buildOnce = sync.OnceValues(func() (string, error) { return daemon.Build(base, true) })

// binary is the program under test.
func binary(t *testing.T) string {
	t.Helper()
	path, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// folder makes a folder that everyone may read, gone after the test.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(base, "")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// mount mounts source with flags until the end of the test.
func mount(t *testing.T, source string, flags ...string) *daemon.Mount {
	t.Helper()
	return daemon.Start(t, daemon.Options{Binary: binary(t), Source: source, Flags: flags})
}

// again mounts what m did, with the same store and mount point.
func again(t *testing.T, m *daemon.Mount, source string, flags ...string) *daemon.Mount {
	t.Helper()
	return daemon.Start(t, daemon.Options{
		Binary: binary(t), Source: source, Flags: flags, Dir: m.Dir, CacheDir: m.CacheDir,
	})
}

// quiet keeps a mount from asking for changes during a test.
var quiet = []string{"--refresh", "1h"}

// makers are the folders of the archive: the same targets, with control files
// of zsyncmake and of zsyncfs.
var makers = []string{"zsyncmake", "made"}

// The archive's targets.
const (
	imageFile = "tree.ext4"
	isoFile   = "tree.iso"
	qemuFile  = "tree.qcow2"
	oldTar    = "old.tar"
	newTar    = "new.tar"
	textFile  = "notes.txt"
	oneFile   = "one"
	emptyFile = "empty"
)

// smallFiles are the targets that each server is tested with.
var smallFiles = []string{newTar, textFile, oneFile, emptyFile}

// archive is the shared archive's folder; tree is the folder that its images
// were made of. Nobody changes them.
func archive(t *testing.T) (dir, tree string) {
	t.Helper()
	program := binary(t)
	archiveOnce.Do(func() { archiveErr = makeArchive(program) })
	must(t, archiveErr)
	return filepath.Join(base, "archive"), filepath.Join(base, "tree")
}

var (
	archiveOnce sync.Once
	archiveErr  error
)

func makeArchive(program string) error {
	tree, first := filepath.Join(base, "tree"), filepath.Join(base, "archive", makers[0])
	second := filepath.Join(base, "archive", makers[1])
	if err := errors.Join(fixture.Tree(tree), os.MkdirAll(first, 0o755), os.Mkdir(second, 0o755)); err != nil {
		return err
	}
	if err := makeTargets(first, tree); err != nil {
		return err
	}
	entries, err := os.ReadDir(first)
	if err != nil {
		return err
	}
	var seconds []string
	for _, e := range entries {
		from, to := filepath.Join(first, e.Name()), filepath.Join(second, e.Name())
		if err := errors.Join(os.Link(from, to), fixture.Zsyncmake(from)); err != nil {
			return err
		}
		seconds = append(seconds, to)
	}
	return fixture.Make(program, seconds...)
}

func makeTargets(dir, tree string) error {
	at := func(name string) string { return filepath.Join(dir, name) }
	text, err := os.ReadFile(filepath.Join(tree, "unicode", "tables.go"))
	return errors.Join(err,
		fixture.Ext4(at(imageFile), tree, 80),
		fixture.ISO(at(isoFile), tree),
		fixture.Qcow2(at(qemuFile), at(imageFile)),
		fixture.Tar(at(oldTar), filepath.Join(tree, "net"), nil),
		fixture.Tar(at(newTar), filepath.Join(tree, "net"), func(name string, content []byte) []byte {
			if name == "http/server.go" {
				return append([]byte("// A new first line.\n"), content...)
			}
			return content
		}),
		os.WriteFile(at(textFile), text, 0o644),
		os.WriteFile(at(oneFile), []byte("1"), 0o644),
		os.WriteFile(at(emptyFile), nil, 0o644),
	)
}

// serve runs nginx on dir.
func serve(t *testing.T, dir string) *webserver.Server {
	t.Helper()
	return webserver.Start(t, webserver.Nginx, webserver.Options{Root: dir})
}
