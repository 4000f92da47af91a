package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/fs/target/reuse"
)

// mountFlags are the flags of "zsyncfs mount".
type mountFlags struct {
	foreground bool
	all        bool // archives of the configuration file; not for every command
	verbose    bool
	logLevel   choice
	debug      bool
	pprof      bool
	http       string
	cacheDir   string
	indexFile  string

	refresh, readDeadline time.Duration
	allowOther            bool
	shareCredentials      bool
	uid, gid              int64
	umask                 string
	noExec                bool

	seeds               []string
	share, fill, verify choice
	passthrough         choice
	cacheSize, minFree  optionalSize

	access accessFlags
}

// newMountFlags are flags that no command line has.
func newMountFlags() (*mountFlags, *pflag.FlagSet) {
	f := new(mountFlags)
	s := pflag.NewFlagSet("mount", pflag.ContinueOnError)
	s.SortFlags = false
	f.add(s)
	return f, s
}

func (f *mountFlags) add(s *pflag.FlagSet) {
	s.BoolVarP(&f.foreground, "foreground", "f", false, "stay in the foreground, with messages on standard error")
	s.BoolVarP(&f.verbose, "verbose", "v", false, "log more: --log-level=debug")
	f.logLevel = choice{words: []string{"info", "debug", "warn", "error"}}
	s.Var(&f.logLevel, "log-level", "what the daemon logs: info, debug (more), warn, error (less)")
	s.BoolVar(&f.debug, "debug-fuse", false, "log every request of the kernel (with -f)")
	s.BoolVar(&f.pprof, "pprof", false, "profiles of the daemon on its socket, CACHE-DIR/socket, at /debug/pprof/")
	s.StringVar(&f.http, "http", "", "`ADDRESS` of the status page and of metrics, such as 127.0.0.1:8090 (default: there is none)")
	s.StringVar(&f.cacheDir, "cache-dir", "", cacheDirHelp)
	s.StringVar(&f.indexFile, "index-file", "", "`FILE` or URL with one control file's URL per line, instead of SOURCE")
	s.DurationVar(&f.refresh, "refresh", time.Minute, "`AGE` after which listings and control files are asked for again")
	s.DurationVar(&f.readDeadline, "read-deadline", 30*time.Second, "a read that waits longer than this `TIME` fails with EIO")
	s.BoolVar(&f.allowOther, "allow-other", false, "let other users in (needs user_allow_other in /etc/fuse.conf unless root)")
	s.BoolVar(&f.shareCredentials, "share-credentials", false, "with --allow-other: let others read what the source gives only to your credentials")
	s.Int64Var(&f.uid, "uid", -1, "`USER` number of the owner of everything (default: who mounts)")
	s.Int64Var(&f.gid, "gid", -1, "`GROUP` number of everything (default: who mounts)")
	s.StringVar(&f.umask, "umask", "0", "permission `BITS` to take away, octal")
	s.StringArrayVar(&f.seeds, "seed", nil, "a local `PATH` to look for blocks in: a file, or a folder with files of like names (repeatable)")
	s.BoolVar(&f.noExec, "noexec", false, "let no program be run from the mount")
	f.share = choice{words: []string{"origin", "verified", "none"}}
	s.Var(&f.share, "share", "whose blocks may be reused: origin (of versions from the same server), verified (of such as were verified whole), none")
	f.fill = choice{words: []string{"sequential", "off", "full"}}
	s.Var(&f.fill, "fill", "what is fetched ahead: sequential (what lies ahead of readers), off, full (all of each file that was opened)")
	f.verify = choice{words: []string{"lazy", "strict"}}
	s.Var(&f.verify, "verify", "when the digest of a whole file is checked: lazy (once all of it is here), strict (before its first byte is served)")
	f.passthrough = choice{words: []string{"auto", "off"}}
	s.Var(&f.passthrough, "passthrough", "whether the kernel reads complete, verified files by itself: auto (where it can: mounted by root), off")
	s.Var(&f.cacheSize, "cache-size", "largest `SIZE` of the block store, such as 20G; 0: none; kept until another is said (default a fifth of the free disk)")
	s.Var(&f.minFree, "cache-min-free", "what the block store leaves free on the disk, a `SIZE` (default a twentieth of the free disk, at most 1G)")
	f.access.add(s)
}

// checkArgs checks how many arguments there are, and what is often mistaken
// for a source. It quotes none of them: a URL may hold a password.
func (f *mountFlags) checkArgs(args []string) error {
	const usage = "usage: zsyncfs mount SOURCE MOUNTPOINT [flags], or zsyncfs mount ARCHIVE, a name from the configuration file"
	want := 2
	if f.indexFile != "" {
		want = 1
	}
	switch {
	case len(args) != want && f.indexFile != "":
		return withHint(usageErrorf("with --index-file only MOUNTPOINT is wanted, %s given", were(len(args))),
			"usage: zsyncfs mount --index-file FILE MOUNTPOINT [flags]")
	case len(args) != want:
		return withHint(usageErrorf("SOURCE and MOUNTPOINT are wanted, %s given", were(len(args))), usage)
	case f.indexFile != "" || access.IsURL(args[0]):
		return nil
	case access.IsURL(args[1]):
		return withHint(usageErrorf("SOURCE comes before MOUNTPOINT"), usage)
	}
	if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
		return withHint(usageErrorf("bad source: it is a directory of this machine, not a URL"),
			"\"zsyncfs serve DIR\" makes a URL of a directory")
	}
	return nil
}

// were is a number of arguments with its verb.
func were(n int) string {
	verb := " were"
	if n == 1 {
		verb = " was"
	}
	return words.Count(int64(n), "argument") + verb
}

// spec is what the flags and arguments ask for, with absolute paths.
func (f *mountFlags) spec(args []string) (daemon.Spec, error) {
	s := daemon.Spec{
		IndexFile:     f.indexFile,
		Refresh:       f.refresh,
		ReadDeadline:  f.readDeadline,
		AllowOther:    f.allowOther,
		ShareAccess:   f.shareCredentials,
		Debug:         f.debug && f.foreground,
		Profiles:      f.pprof,
		NoExec:        f.noExec,
		HTTP:          f.http,
		Share:         []reuse.Share{reuse.ShareOrigin, reuse.ShareVerified, reuse.ShareNone}[f.share.index],
		Fill:          []target.Fill{target.FillAhead, target.FillOff, target.FillFull}[f.fill.index],
		Strict:        f.verify.index == 1,
		NoPassthrough: f.passthrough.index == 1,
		CacheSize:     f.cacheSize.value(),
		CacheMinFree:  f.minFree.value(),
	}
	if f.indexFile == "" {
		s.Source = args[0]
	}
	var err error
	if s.Dir, err = mountPoint(args[len(args)-1]); err != nil {
		return s, err
	}
	if !strings.Contains(s.IndexFile, "://") {
		s.IndexFile, err = absolute(s.IndexFile)
	}
	for _, seed := range f.seeds {
		if seed, err = absolute(seed); err != nil {
			return s, err
		}
		if _, err := os.Stat(seed); err != nil {
			return s, withCode(exitUsage, fmt.Errorf("--seed: %w", err))
		}
		s.Seeds = append(s.Seeds, resolve(seed))
	}
	var aerr error
	s.Access, aerr = f.access.access()
	err = errors.Join(err, aerr)
	if err != nil {
		return s, err
	}
	if s.Umask, err = parseUmask(f.umask); err != nil {
		return s, err
	}
	if s.UID, err = parseID("uid", f.uid); err != nil {
		return s, err
	}
	if s.GID, err = parseID("gid", f.gid); err != nil {
		return s, err
	}
	if f.refresh <= 0 || f.readDeadline <= 0 {
		return s, usageErrorf("--refresh and --read-deadline must be more than 0")
	}
	if f.http != "" {
		if _, _, err := net.SplitHostPort(f.http); err != nil {
			return s, withHint(usageErrorf("bad address for --http: %w", err), "an ADDRESS is HOST:PORT, such as 127.0.0.1:8090")
		}
	}
	if err := s.Check(); err != nil {
		return s, withCode(exitUsage, err)
	}
	return s, nil
}

func parseUmask(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 {
		return 0, usageErrorf("--umask %q is not an octal number up to 777", s)
	}
	return uint32(n), nil
}

// parseID turns -1 into nil.
func parseID(flag string, n int64) (*uint32, error) {
	if n == -1 {
		return nil, nil
	}
	if n < 0 || n > 1<<32-2 {
		return nil, usageErrorf("--%s %d is not a user or group number", flag, n)
	}
	id := uint32(n)
	return &id, nil
}

// mountPoint is dir without symbolic links, as the kernel will name it.
func mountPoint(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("mount point: %w", err)
	}
	return resolve(abs), nil
}

// resolve is the absolute path abs without symbolic links, as far as it can be
// followed. Its end may not exist, or be a dead mount, which cannot be looked at.
func resolve(abs string) string {
	for range 40 { // the kernel's own limit of links
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			return real
		}
		link, err := os.Readlink(abs)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(abs), link)
		}
		abs = link
	}
	if parent, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		return filepath.Join(parent, filepath.Base(abs))
	}
	return abs
}
