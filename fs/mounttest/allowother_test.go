package mounttest

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
)

// TestSecurityShared: what only the user may see is not shown to everybody by mistake.
func TestSecurityShared(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(50_000, 3))
	s := serve(t, dir)
	plain := s.URL("/")
	typed := strings.Replace(plain, "http://", "http://bob:"+password+"@", 1)
	for _, flags := range [][]string{{"--user=bob:x"}, {"--header=X-Token: x"}, {"--netrc=/dev/null"}, {"--mirror=" + typed}, nil} {
		source := plain
		if flags == nil {
			source = typed
		}
		flags = append(flags, "--allow-other")
		refused(t, daemon.Options{Binary: binary(t), Source: source, Flags: flags}, "--share-credentials")
	}
	if os.Getuid() == 0 {
		mount(t, typed, "--allow-other", "--share-credentials").Unmount()
	}
}

// TestSecurityUserAllowOther: an ordinary user may let others in only where the
// administrator says so, and is told where that is.
func TestSecurityUserAllowOther(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needMount(t)
	if text, _ := os.ReadFile("/etc/fuse.conf"); regexp.MustCompile(`(?m)^\s*user_allow_other\b`).Match(text) {
		t.Skip("this machine has user_allow_other in /etc/fuse.conf")
	}
	openDevice(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(50_000, 3))
	s := serve(t, dir)
	refused(t, daemon.Options{Binary: binary(t), Source: s.URL("/"), Flags: []string{"--allow-other"}, Credential: nobody()},
		"'user_allow_other' is set in /etc/fuse.conf")
}

// nobody is an ordinary user.
func nobody() *syscall.Credential { return &syscall.Credential{Uid: 65534, Gid: 65534} }
