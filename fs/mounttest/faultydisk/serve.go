package faultydisk

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// childVariable has the mount point and the folder behind it, with a newline between.
const childVariable = "ZSYNCFS_FAULTYDISK"

// RunChild serves a disk and ends the process, if this is the one for it. Called first
// thing in TestMain.
func RunChild() {
	dir, behind, is := strings.Cut(os.Getenv(childVariable), "\n")
	if !is {
		return
	}
	if err := serve(dir, behind); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(dir, behind string) error {
	root, err := fs.NewLoopbackRoot(behind)
	if err != nil {
		return err
	}
	d := &disk{RawFileSystem: fs.NewNodeFS(root, &fs.Options{})}
	server, err := fuse.NewServer(d, dir, &fuse.MountOptions{
		FsName: "faultydisk", Name: "faultydisk", DirectMount: true, DisableXAttrs: true,
	})
	if err != nil {
		return err
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		return err
	}
	fmt.Println("done")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); fmt.Println("done") {
		var f Faults
		if _, err := fmt.Sscan(in.Text(), &f.Read, &f.Write, &f.Sync); err != nil {
			return err
		}
		d.faults.Store(&f)
	}
	return nil // the test has ended, and unmounts
}

// disk hands on all calls that do not fail.
type disk struct {
	fuse.RawFileSystem
	faults atomic.Pointer[Faults]
}

// status is how a call fails that does so by which.
func (d *disk) status(which func(*Faults) unix.Errno) fuse.Status {
	f := d.faults.Load()
	if f == nil {
		return fuse.OK
	}
	return fuse.Status(which(f))
}

func read(f *Faults) unix.Errno  { return f.Read }
func write(f *Faults) unix.Errno { return f.Write }
func sync(f *Faults) unix.Errno  { return f.Sync }

func (d *disk) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if writes := in.Flags&unix.O_ACCMODE != unix.O_RDONLY; writes {
		if s := d.status(write); s == fuse.EROFS { // other disks fail later
			return s
		}
	}
	s := d.RawFileSystem.Open(cancel, in, out)
	out.OpenFlags |= fuse.FOPEN_DIRECT_IO
	return s
}

func (d *disk) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	if s := d.status(write); !s.Ok() {
		return s
	}
	s := d.RawFileSystem.Create(cancel, in, name, out)
	out.OpenFlags |= fuse.FOPEN_DIRECT_IO
	return s
}

func (d *disk) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	if s := d.status(read); !s.Ok() {
		return nil, s
	}
	return d.RawFileSystem.Read(cancel, in, buf)
}

func (d *disk) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if s := d.status(write); !s.Ok() {
		return 0, s
	}
	return d.RawFileSystem.Write(cancel, in, data)
}

func (d *disk) Writev(cancel <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	if s := d.status(write); !s.Ok() {
		return 0, s
	}
	return d.RawFileSystem.Writev(cancel, in, data)
}

func (d *disk) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if s := d.status(sync); !s.Ok() {
		return s
	}
	return d.RawFileSystem.Fsync(cancel, in)
}

func (d *disk) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if s := d.status(sync); !s.Ok() {
		return s
	}
	return d.RawFileSystem.FsyncDir(cancel, in)
}

func (d *disk) Fallocate(cancel <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if s := d.status(write); !s.Ok() {
		return s
	}
	return d.RawFileSystem.Fallocate(cancel, in)
}

func (d *disk) CopyFileRange(<-chan struct{}, *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS // by reads and writes, which may fail
}

func (d *disk) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if s := d.status(write); !s.Ok() {
		return s
	}
	return d.RawFileSystem.SetAttr(cancel, in, out)
}

func (d *disk) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	if s := d.status(write); !s.Ok() {
		return s
	}
	return d.RawFileSystem.Mknod(cancel, in, name, out)
}

func (d *disk) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	if s := d.status(write); !s.Ok() {
		return s
	}
	return d.RawFileSystem.Mkdir(cancel, in, name, out)
}

func (d *disk) Rename(cancel <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	if s := d.status(write); !s.Ok() {
		return s
	}
	return d.RawFileSystem.Rename(cancel, in, from, to)
}

func (d *disk) Unlink(cancel <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	if s := d.status(write); !s.Ok() {
		return s
	}
	return d.RawFileSystem.Unlink(cancel, in, name)
}

func (d *disk) Rmdir(cancel <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	if s := d.status(write); !s.Ok() {
		return s
	}
	return d.RawFileSystem.Rmdir(cancel, in, name)
}
