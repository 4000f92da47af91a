package fs

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"syscall"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// xattrs are the extended attributes of an artifact, in the order in which they
// are listed.
var xattrs = []struct {
	name  string
	value func(*fileNode) string
}{
	{"user.zsync.url", func(n *fileNode) string { return n.fs.pool.SourceURL(n.control()) }},
	{"user.zsync.control-url", func(n *fileNode) string { return zsyncclient.Redact(n.control().URL) }},
	{"user.zsync.file-hash", func(n *fileNode) string { return fileHash(n.control().Header) }},
	{"user.zsync.blocks", func(n *fileNode) string {
		return strconv.FormatInt(n.control().Header.Geometry().BlockCount(), 10)
	}},
	{"user.zsync.blocks-local", func(n *fileNode) string {
		return strconv.FormatInt(n.fs.pool.Local(n.control()).Blocks, 10)
	}},
	{"user.zsync.blocks-shared", func(n *fileNode) string {
		return strconv.FormatInt(n.fs.pool.Local(n.control()).Shared, 10)
	}},
	{"user.zsync.passthrough", func(n *fileNode) string {
		if n.isDirect() {
			return "yes"
		}
		return "no"
	}},
	{"user.zsync.state", func(n *fileNode) string { return n.fs.pool.Local(n.control()).State.String() }},
}

// fileHash shows the strongest whole-file digest, as ALGORITHM:hex.
func fileHash(h *format.Header) string {
	out := "none"
	for _, d := range h.FileHashes {
		if out == "none" || d.Algorithm == "SHA-256" {
			out = d.Algorithm + ":" + hex.EncodeToString(d.Digest)
		}
	}
	return out
}

// Getxattr answers user.zsync.*; everything else is not there.
func (n *fileNode) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	for _, x := range xattrs {
		if x.name == attr {
			return fillXattr(dest, x.value(n))
		}
	}
	return 0, syscall.ENODATA
}

// Listxattr lists the names.
func (n *fileNode) Listxattr(_ context.Context, dest []byte) (uint32, syscall.Errno) {
	var names strings.Builder
	for _, x := range xattrs {
		names.WriteString(x.name + "\x00")
	}
	return fillXattr(dest, names.String())
}

// CacheDirAttr is the attribute of a mount's root that names its cache directory.
const CacheDirAttr = "user.zsync.cache-dir"

// Getxattr tells the root's cache directory.
func (d *dirNode) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	if attr != CacheDirAttr || !d.IsRoot() || d.fs.options.CacheDir == "" {
		return 0, syscall.ENODATA
	}
	return fillXattr(dest, d.fs.options.CacheDir)
}

// fillXattr answers a request whose buffer may be too small.
func fillXattr(dest []byte, value string) (uint32, syscall.Errno) {
	if len(dest) < len(value) {
		return uint32(len(value)), syscall.ERANGE
	}
	return uint32(copy(dest, value)), 0
}

func formatOffset(off int64) string { return strconv.FormatInt(off, 10) }
