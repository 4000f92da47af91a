package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// versionsFolder has all that rows of versions read, one folder for each set
	// of files, and the sites.
	versionsFolder = "versions/"

	debianFolder = "debian/"
	debianOld    = debianFolder + "debian-root-1.img"
	debianNew    = debianFolder + "debian-root-2.img" // the same after an update in place
)

// makeDebian fills the folder of the images of a Debian, which a script makes once.
func (b *bench) makeDebian() error {
	if b.short {
		return fmt.Errorf("%w with --short", errUnavailable)
	}
	dir, err := b.runScript("the images of a Debian", b.images.script, b.images.dir)
	if err != nil {
		return err
	}
	if err := b.newRootFolder(debianFolder); err != nil {
		return err
	}
	for _, name := range []string{debianOld, debianNew} {
		from := filepath.Join(dir, path.Base(name))
		if err := writeFile(b.original(name), func(f *os.File) error { return copySparse(f, from) }); err != nil {
			return err
		}
	}
	return nil
}

// stock gives files of the web server's root other names in a folder of it, and
// makes control files beside them.
func (b *bench) stock(folder string, names map[string]string, control func(path string) error) error {
	if err := b.newRootFolder(folder); err != nil {
		return err
	}
	for name, from := range names {
		to := b.original(folder + name)
		if err := os.Link(b.original(from), to); err != nil {
			return err
		}
		if err := control(to); err != nil {
			return err
		}
	}
	return nil
}

// controlBeside has a maker write a control file for a file beside it.
func (b *bench) controlBeside(mk maker) func(path string) error {
	return func(path string) error {
		return b.runMaker(mk, path, filepath.Base(path), path+".zsync")
	}
}

// made is the control file that zsyncfs makes by default.
func (b *bench) made(path string) error { return b.run("", b.binary, "make", "-q", "--", path) }

// site is a folder of the web server in which versions appear one after the other.
type site struct {
	b      *bench
	folder string // below the root
}

// newSite makes an empty one that goes when it is released.
func (b *bench) newSite() (*site, error) {
	if err := b.newRootFolder(versionsFolder); err != nil {
		return nil, err
	}
	dir, err := b.newFolderIn(b.original(versionsFolder), "site")
	if err != nil {
		return nil, err
	}
	return &site{b, versionsFolder + filepath.Base(dir) + "/"}, os.Chmod(dir, 0o755)
}

// publish lets a file of a stock appear, and then its control file, each at once
// as a whole.
func (s *site) publish(stock, name string) error {
	for _, name := range []string{name, name + ".zsync"} {
		if err := os.Link(s.b.original(stock+name), s.b.original(s.folder+name)); err != nil {
			return err
		}
	}
	return nil
}

// urls are the paths that the web server's log has of a file and its control file.
func (s *site) urls(name string) []string {
	return []string{"/" + s.folder + name, "/" + s.folder + name + ".zsync"}
}

// appearsWithin is how long a new file may take to be seen in a mount.
const appearsWithin = 30 * time.Second

// waitFor returns once done says so, and fails when it does not in time.
func (b *bench) waitFor(what string, within time.Duration, done func() (bool, error)) error {
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v", what, within)
		}
	}
}

// waitAppears returns once a file can be seen.
func (b *bench) waitAppears(path string) error {
	return b.waitFor(filepath.Base(path)+" appears", appearsWithin, func() (bool, error) {
		_, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	})
}

// waitVerified returns once all of a file of a mount of zsyncfs was held against
// its digest, so that no more of it is fetched.
func (b *bench) waitVerified(path string) error {
	return b.waitFor(filepath.Base(path)+" is verified", appearsWithin, func() (bool, error) {
		state, err := attribute(path, "state")
		return state == "verified", err
	})
}

// readWhole reads a file of a mount of zsyncfs once from its start to its end,
// compares it, and returns when it is complete in the store.
func (b *bench) readWhole(path, original string) error {
	if err := same(path, original); err != nil {
		return err
	}
	if err := b.waitVerified(path); err != nil {
		return err
	}
	all, local, err := blocksOf(path)
	if err == nil && local != all {
		err = fmt.Errorf("%d of %d blocks are here after all was read", local, all)
	}
	return err
}

// blockLength is the length of the blocks that a control file has, in bytes.
func blockLength(control string) (int64, error) {
	f, err := os.Open(control)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for in := bufio.NewReader(f); ; {
		line, err := in.ReadString('\n')
		value, found := strings.CutPrefix(line, "Blocksize: ")
		switch {
		case found:
			return strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		case err != nil || line == "\n":
			return 0, fmt.Errorf("%s has no block size", control)
		}
	}
}

// blockSum stands for a block: two that are equal have the same.
type blockSum [sha256.Size]byte

// eachBlock calls do with the number, sum and length of each block of a file. All
// are of the same length but the last.
func eachBlock(path string, length int64, do func(i int64, sum blockSum, length int)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in, p := bufio.NewReaderSize(f, mib), make([]byte, length)
	for i := int64(0); ; i++ {
		n, err := io.ReadFull(in, p)
		if n > 0 {
			do(i, sha256.Sum256(p[:n]), n)
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}
