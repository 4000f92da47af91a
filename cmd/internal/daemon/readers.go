package daemon

import (
	"fmt"
	"os"
	"strings"

	"github.com/zsyncfs/zsyncfs/fs"
)

// readersOf are the programs that have files open, by the URL of the control file, and
// the paths of those files.
func readersOf(all []fs.Reader) (readers map[string][]ReaderStatus, paths map[string]string) {
	readers, paths = map[string][]ReaderStatus{}, map[string]string{}
	for _, r := range all {
		paths[r.URL] = r.Path
		readers[r.URL] = append(readers[r.URL], ReaderStatus{PID: int(r.PID), Program: programOf(r.PID), Open: r.Open})
	}
	return readers, paths
}

// programOf is the name of a program that runs; "" for none.
func programOf(pid uint32) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
