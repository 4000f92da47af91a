package mounttest

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/versions"
)

// The versions that the tests here use: of each pair the second replaces the
// first. Small ones are verified as a whole before the first byte is served.
var versionPairs = map[string][2]int{
	"small": {1, 5}, "large": {3, 7}, "small becomes large": {1, 3}, "large becomes small": {3, 5}, "the same length": {2, 3},
}

// published is a mount of one artifact, in its first version.
type published struct {
	*versions.Publisher
	*daemon.Mount
	stopServer func()
}

const publishedName = "image.bin"

func publish(t *testing.T, version int, flags ...string) published {
	t.Helper()
	dir := folder(t)
	p := versions.NewPublisher(dir, folder(t), publishedName)
	must(t, p.Publish(version, true, func() {}))
	s := serve(t, dir)
	return published{p, mount(t, s.URL("/"), flags...), s.Stop}
}

// readVersion reads all of an open file.
func readVersion(f *os.File) (int, error) {
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		return 0, err
	}
	version, err := versions.Identify(got, 0)
	if err == nil && string(got) != string(versions.Content(version)) {
		err = fmt.Errorf("%d bytes, not all of version %d", len(got), version)
	}
	return version, err
}

// openVersion opens the file when its name is that of this version.
func openVersion(t *testing.T, p published, version int) *os.File {
	t.Helper()
	var f *os.File
	eventually(t, fmt.Sprintf("version %d is seen", version), func() (err error) {
		if f, err = os.Open(p.Path(publishedName)); err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil && info.Size() != versions.Length(version) {
			err = fmt.Errorf("it has %d bytes, not %d", info.Size(), versions.Length(version))
		}
		if err != nil {
			f.Close()
		}
		return err
	})
	t.Cleanup(func() { f.Close() })
	return f
}

// read is what a reader in the background says.
type read struct {
	version int
	err     error
}

func readLater(f *os.File) <-chan read {
	out := make(chan read, 1)
	go func() {
		version, err := readVersion(f)
		out <- read{version, err}
	}()
	return out
}

// waits checks that a reader has no answer for a while.
func waits(t *testing.T, reader <-chan read) {
	t.Helper()
	select {
	case r := <-reader:
		t.Errorf("the reader did not wait: version %d, %v", r.version, r.err)
	case <-time.After(time.Second):
	}
}

// TestControlFirst: a file whose control file is newer than the artifact is read
// as soon as the artifact is there.
func TestControlFirst(t *testing.T) {
	t.Parallel()
	needMount(t)
	for name, pair := range versionPairs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := publish(t, pair[0], "--refresh", "100ms")
			old := openVersion(t, p, pair[0])
			next, err := p.Prepare(pair[1])
			must(t, err)
			must(t, next.PutControl())
			if versions.Length(pair[0]) == versions.Length(pair[1]) {
				time.Sleep(time.Second) // its length does not tell when it is seen
			}
			f := openVersion(t, p, pair[1])
			reader := readLater(f)
			waits(t, reader)
			// The artifact of the old one is there still.
			if got, err := readVersion(old); got != pair[0] || err != nil {
				t.Errorf("the old handle: version %d, %v", got, err)
			}
			must(t, next.PutTarget())
			if r := <-reader; r.version != pair[1] || r.err != nil {
				t.Errorf("got version %d, %v", r.version, r.err)
			}
			if got, err := readVersion(old); got != pair[0] || err != nil {
				t.Errorf("the old handle, which was read before: version %d, %v", got, err)
			}
		})
	}
}

// TestTargetFirst: a file whose artifact is newer than the control file is not
// read until that tells that it is another one.
func TestTargetFirst(t *testing.T) {
	t.Parallel()
	needMount(t)
	for name, pair := range versionPairs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := publish(t, pair[0], "--refresh", "100ms")
			next, err := p.Prepare(pair[1])
			must(t, err)
			must(t, next.PutTarget())
			reader := readLater(openVersion(t, p, pair[0]))
			waits(t, reader)
			must(t, next.PutControl())
			if r := <-reader; !isErrno(r.err, unix.ESTALE) {
				t.Errorf("got version %d, %v", r.version, r.err)
			}
			eventually(t, "the new version is read", func() error {
				f, err := os.Open(p.Path(publishedName))
				must(t, err)
				defer f.Close()
				if got, err := readVersion(f); got != pair[1] || err != nil {
					return fmt.Errorf("version %d, %w", got, err)
				}
				return nil
			})
		})
	}
}

// TestWindowTooLong: an artifact that does not come within the read deadline is
// an error, at once from then on, and is read when it has come.
func TestWindowTooLong(t *testing.T) {
	t.Parallel()
	needMount(t)
	for name, pair := range versionPairs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := publish(t, pair[0], "--refresh", "100ms", "--read-deadline", "2s")
			next, err := p.Prepare(pair[1])
			must(t, err)
			must(t, next.PutControl())
			time.Sleep(time.Second)
			f := openVersion(t, p, pair[1])
			for range 5 {
				if r := <-readLater(f); !isErrno(r.err, unix.EIO) {
					t.Errorf("without an artifact: version %d, %v", r.version, r.err)
				}
			}
			must(t, next.PutTarget())
			eventually(t, "the artifact is read", func() error {
				got, err := readVersion(f)
				if err == nil && got != pair[1] {
					t.Errorf("version %d", got)
				}
				return err
			})
		})
	}
}
