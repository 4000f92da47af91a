//go:build unix

package making

import (
	"fmt"
	"io/fs"
	"syscall"
)

// addSystem fills in what the system tells of the file beyond its FileInfo.
func (p *Fingerprint) addSystem(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("no inode number for %s", info.Name())
	}
	p.Device = uint64(st.Dev) //nolint:unconvert // its type differs between platforms
	p.Inode = uint64(st.Ino)  //nolint:unconvert // as above
	p.CTime = changeTime(st)
	return nil
}
