package making

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
)

// ErrNotRegular is the error for what is not a regular file.
var ErrNotRegular = errors.New("not a regular file")

// Fingerprint tells one state of a file from another without reading it. The
// change time is part of it because the modification time can be set back
// after a change, as cp -p and rsync -t do.
type Fingerprint struct {
	// Device and Inode are 0 where the system has none.
	Device, Inode uint64
	// Length is in bytes.
	Length int64
	// MTime and CTime are in nanoseconds since 1970. Where the system does not
	// tell CTime, it is MTime: then a change that keeps the length and sets the
	// time back is not seen.
	MTime, CTime int64
}

// FingerprintOf is the fingerprint of the regular file that info describes.
// Errors: ErrNotRegular; a file system that is none of this machine's.
func FingerprintOf(info fs.FileInfo) (Fingerprint, error) {
	if !info.Mode().IsRegular() {
		return Fingerprint{}, ErrNotRegular
	}
	p := Fingerprint{Length: info.Size(), MTime: info.ModTime().UnixNano()}
	return p, p.addSystem(info)
}

// Key is a name for the fingerprint: 32 hexadecimal digits.
func (p Fingerprint) Key() string {
	var b []byte
	for _, v := range []uint64{p.Device, p.Inode, uint64(p.Length), uint64(p.MTime), uint64(p.CTime)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
