//go:build !unix

package making

import "io/fs"

// addSystem has no inode and no time of change to add.
func (p *Fingerprint) addSystem(fs.FileInfo) error {
	p.CTime = p.MTime
	return nil
}
