package daemon

import (
	"bufio"
	"os"
	"strings"
)

// FSType is the type that the kernel shows for our mounts.
const FSType = "fuse.zsyncfs"

// MountType is the type of the file system mounted on dir, an absolute path
// without symbolic links; "" when nothing is mounted on it. Where several are
// stacked it is the topmost's.
func MountType(dir string) (string, error) {
	var kind string
	err := eachMount(func(at, t string) {
		if at == dir {
			kind = t
		}
	})
	return kind, err
}

// MountPoints are those of all mounts of this program.
func MountPoints() (dirs []string, err error) {
	err = eachMount(func(dir, kind string) {
		if kind == FSType {
			dirs = append(dirs, dir)
		}
	})
	return dirs, err
}

// mountPoints is MountPoints, as far as they can be told.
func mountPoints() []string {
	dirs, _ := MountPoints()
	return dirs
}

// eachMount calls do for each mount, in the order in which they were made.
func eachMount(do func(dir, kind string)) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if dir, kind, ok := parseMountinfo(s.Text()); ok {
			do(dir, kind)
		}
	}
	return s.Err()
}

// parseMountinfo takes mount point and type from a line of mountinfo(5).
func parseMountinfo(line string) (dir, kind string, ok bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields, rest := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < 5 || len(rest) < 1 {
		return "", "", false
	}
	return unescapeMount(fields[4]), rest[0], true
}

// unescapeMount undoes the octal escapes of space, tab, newline and backslash.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
