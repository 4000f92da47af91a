package fs

import (
	"bufio"
	"os"
	"slices"
	"strings"
)

// FSType is the type that the kernel shows for our mounts.
const FSType = "fuse." + fsName

// MountType is the type of the file system mounted on dir, an absolute path
// without symbolic links; "" when nothing is mounted on it. Where several are
// stacked it is the topmost's.
func MountType(dir string) (string, error) {
	on, err := mountsOn(dir)
	if tops := topmost(on); len(tops) > 0 {
		return tops[len(tops)-1].kind, err
	}
	return "", err
}

// MountPoints are those of all mounts of this program.
func MountPoints() (dirs []string, err error) {
	err = eachMount(func(e mountEntry) {
		if e.kind == FSType {
			dirs = append(dirs, e.dir)
		}
	})
	return dirs, err
}

// mountEntry is a line of mountinfo(5).
type mountEntry struct {
	id, parent string // parent is the id of the mount on which it lies
	device     string // major:minor; copies of a mount have the same
	dir        string // the mount point
	kind       string // the type of the file system
}

// mountsOn are the mounts on dir, stacked perhaps.
func mountsOn(dir string) (on []mountEntry, err error) {
	err = eachMount(func(e mountEntry) {
		if e.dir == dir {
			on = append(on, e)
		}
	})
	return on, err
}

// topmost are those of on, mounts on one directory, on which none of the others lies. It
// is more than one when a mount on a directory above hides some. The order of the lines
// does not tell: what was moved there keeps its line.
func topmost(on []mountEntry) (tops []mountEntry) {
	for _, e := range on {
		if !slices.ContainsFunc(on, func(other mountEntry) bool { return other.parent == e.id }) {
			tops = append(tops, e)
		}
	}
	return tops
}

// eachMount calls do for each mount. No file system is asked, as stat would: this
// process may serve it.
func eachMount(do func(mountEntry)) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if e, ok := parseMountinfo(s.Text()); ok {
			do(e)
		}
	}
	return s.Err()
}

// parseMountinfo parses a line of mountinfo(5).
func parseMountinfo(line string) (e mountEntry, ok bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields, rest := strings.Split(before, " "), strings.Fields(after)
	if !ok || len(fields) < 5 || len(rest) < 1 {
		return mountEntry{}, false
	}
	return mountEntry{id: fields[0], parent: fields[1], device: fields[2], dir: unescapeMount(fields[4]), kind: rest[0]}, true
}

// unescapeMount undoes the octal escapes of space, tab, newline and backslash.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
