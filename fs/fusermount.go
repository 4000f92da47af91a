package fs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoFusermount says that the helper which mounts for ordinary users is missing.
var ErrNoFusermount = errors.New("fusermount3 is not installed (package fuse3)")

// fusermount runs the set-uid helper.
func fusermount(args ...string) error { return runFusermount(nil, args...) }

// runFusermount runs the helper with comm, if not nil, as the socket over which
// it hands out descriptors. What it says is in the error.
func runFusermount(comm *os.File, args ...string) error {
	for _, name := range []string{"fusermount3", "fusermount"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		cmd := exec.Command(path, args...)
		if comm != nil {
			cmd.ExtraFiles = []*os.File{comm}
			cmd.Env = append(os.Environ(), "_FUSE_COMMFD=3")
		}
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		if said := strings.TrimSpace(string(out)); said != "" {
			return errors.New(said)
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	return ErrNoFusermount
}

// fuseDevice has the helper mount on dir, and returns the open FUSE device.
func fuseDevice(dir string, options []string) (int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "fusermount"), os.NewFile(uintptr(pair[1]), "fusermount")
	defer ours.Close()
	err = runFusermount(theirs, "-o", strings.Join(options, ","), "--", dir)
	theirs.Close()
	if err != nil {
		return -1, err
	}
	fd, err := receiveDevice(pair[0])
	if err != nil {
		err = errors.Join(err, Detach(dir)) // it is mounted already
	}
	return fd, err
}

// receiveDevice takes the descriptor that the helper sends over a socket.
func receiveDevice(socket int) (int, error) {
	buf, oob := make([]byte, 4), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("receive the FUSE device: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return -1, errors.New("fusermount3 sent no FUSE device")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.New("fusermount3 sent no FUSE device")
	}
	return fds[0], nil
}

// escapeOption makes commas and backslashes of a mount option its own.
var escapeOption = strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace
