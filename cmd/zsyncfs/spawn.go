package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
)

// spawnRequest is what a mount tells the daemon that it starts, on standard
// input: passwords must not show in the list of processes.
type spawnRequest struct {
	Store string
	Spec  daemon.Spec
}

// spawnReply is its answer, on descriptor 3.
type spawnReply struct {
	Failure *daemon.Failure
	Locked  bool // another daemon owns the store
}

// errLocked says that another process owns the store.
var errLocked = errors.New("another process uses the cache directory")

func isLocked(err error) bool {
	var locked *blockstore.LockedError
	return errors.Is(err, errLocked) || errors.As(err, &locked)
}

// spawnDaemon starts a daemon in the background and returns when its first
// mount can be used.
func spawnDaemon(ctx context.Context, spec daemon.Spec, store string) error {
	request, err := json.Marshal(spawnRequest{Store: store, Spec: spec})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	answer, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer answer.Close()
	input, err := requestPipe(request)
	if err != nil {
		theirs.Close()
		return err
	}
	child := exec.Command(self, daemonCall)
	child.Dir = "/"
	child.Stdin = input
	child.Stderr = os.Stderr // until it has its log
	child.ExtraFiles = []*os.File{theirs}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = child.Start()
	theirs.Close()
	input.Close()
	if err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	answered := make(chan struct{})
	defer close(answered)
	stop := context.AfterFunc(ctx, func() { endDaemon(child.Process, answered) })
	defer stop()
	return readReply(answer, child, store)
}

// endPatience is how long a daemon whose mount is no longer wanted takes to say so.
const endPatience = 5 * time.Second

// endDaemon ends a daemon that has not answered yet. One that hangs, on the disk of its
// store say, is killed: nobody would know of it.
func endDaemon(p *os.Process, answered <-chan struct{}) {
	p.Signal(syscall.SIGTERM)
	select {
	case <-answered:
	case <-time.After(endPatience):
		p.Kill()
	}
}

// requestPipe is a pipe from which b can be read.
func requestPipe(b []byte) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		defer w.Close()
		w.Write(b)
	}()
	return r, nil
}

func readReply(answer io.Reader, child *exec.Cmd, store string) error {
	var reply spawnReply
	if err := json.NewDecoder(answer).Decode(&reply); err != nil {
		err := fmt.Errorf("the daemon ended before the mount was usable: %v", child.Wait())
		return withHint(withCode(exitMount, err), "what it said last is in %s", daemon.LogPath(store))
	}
	if reply.Locked {
		child.Wait()
		return errLocked
	}
	// The daemon may live on for other mounts although this one failed.
	child.Process.Release()
	if reply.Failure != nil {
		return reply.Failure
	}
	return nil
}

// daemonCall is the argument of the program as spawnDaemon starts it. It is no command:
// users do not call it, and the flags of all commands are not set up for it.
const daemonCall = "daemon"

// isDaemonCall says whether the program was started by spawnDaemon.
func isDaemonCall(args []string) bool { return len(args) == 1 && args[0] == daemonCall }

// daemonProcess is the other side of spawnDaemon.
func daemonProcess(ctx context.Context) error {
	answer := os.NewFile(3, "reply")
	var request spawnRequest
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil || answer == nil {
		return usageErrorf("this command is started by \"zsyncfs mount\"")
	}
	syscall.CloseOnExec(3)
	reply := func(r spawnReply) {
		json.NewEncoder(answer).Encode(r)
		answer.Close()
	}
	file, err := daemon.OpenLog(request.Store)
	if err != nil {
		reply(spawnReply{Failure: describe(fmt.Errorf("open the log: %w", err))})
		return nil
	}
	defer file.Close()
	// The Go runtime tells of a crash there, also of one before the mount is usable.
	if err := file.TakeStderr(); err != nil {
		reply(spawnReply{Failure: describe(fmt.Errorf("open the log: %w", err))})
		return nil
	}
	log, level := newLog(file, slog.LevelInfo)
	told := false
	err = daemonRun{
		store: request.Store, specs: []daemon.Spec{request.Spec}, log: log, level: level,
		mounted: func(err error) {
			told = true
			if err != nil {
				log.Error("mount: "+err.Error(), "mount", request.Spec.Dir)
				reply(spawnReply{Failure: describe(err)})
				return
			}
			reply(spawnReply{})
		},
	}.run(ctx)
	switch {
	case err == nil || told:
	case isLocked(err):
		reply(spawnReply{Locked: true})
	default:
		reply(spawnReply{Failure: describe(err)})
	}
	return nil // the mount command reports it
}

// describe is err as it crosses to another process.
func describe(err error) *daemon.Failure {
	code, hint := program.Translate(err)
	return &daemon.Failure{Message: err.Error(), Hint: hint, Code: int(code)}
}
