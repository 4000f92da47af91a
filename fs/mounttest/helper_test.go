package mounttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
)

// TestMountHelper: mount(8) mounts by the helper, from fstab, by hand and by way of
// mount.fuse, as root without an environment; wrong options are told with exit code 1.
// It has a mount namespace with a /usr/sbin and /etc/fstab of its own.
func TestMountHelper(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needMount(t)
	needProgram(t, "unshare", "mount")
	if link, err := os.Readlink("/sbin"); err != nil || !strings.HasSuffix(link, "usr/sbin") {
		t.Skip("/sbin is no link to /usr/sbin here")
	}
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(300_000, 1))
	s := serve(t, dir)
	work := folder(t)
	mnt := filepath.Join(work, "m n t")
	must(t, os.MkdirAll(mnt, 0o755))
	for _, d := range []string{"over", "over/upper", "over/work"} {
		must(t, os.MkdirAll(filepath.Join(work, d), 0o755))
	}
	cache := filepath.Join(work, "cache, with comma")
	config := filepath.Join(work, "config.toml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "[archive.daily]\nsource = %q\nmount-point = '/nowhere'\ncache-dir-is-no-setting-here = 1\n", s.URL("/")), 0o600))
	must(t, os.WriteFile(filepath.Join(work, "good.toml"), fmt.Appendf(nil, "[archive.daily]\nsource = %q\n", s.URL("/")), 0o600))
	options := fmt.Sprintf(`allow_other,refresh=5m,"cache_dir=%s"`, cache)
	fstab := fmt.Sprintf("%s %s zsyncfs noauto,x-systemd.automount,_netdev,nofail,%s 0 0\n", s.URL("/"),
		strings.ReplaceAll(mnt, " ", `\040`), strings.ReplaceAll(options, " ", `\040`))
	must(t, os.WriteFile(filepath.Join(work, "fstab"), []byte(fstab), 0o644))
	script := `set -eu
cd "$WORK"
mount -t tmpfs over over && mkdir over/upper over/work
mount -t overlay -o lowerdir=/usr/sbin,upperdir=over/upper,workdir=over/work over /usr/sbin
ln -s "$PROGRAM" /usr/sbin/mount.zsyncfs
ln -s "$PROGRAM" /usr/sbin/zsyncfs # where the shell of mount.fuse finds it
mount --bind fstab /etc/fstab
same() { cmp "$MNT/t.img" "$WANT"; grep -q "$1" /proc/self/mountinfo; umount "$MNT"; }

mount "$MNT"; same 'fuse.zsyncfs.*allow_other'; echo fstab
mount -v -t zsyncfs -o noexec,"$OPTIONS" "$URL" "$MNT"; same noexec; echo type
mount -t fuse.zsyncfs -o noauto,"$OPTIONS" "$URL" "$MNT"; same fuse.zsyncfs; echo fuse
mount -t zsyncfs -o "config=$WORK/good.toml,$OPTIONS" daily "$MNT"; same fuse.zsyncfs; echo archive
code() { code=0; "$@" || code=$?; echo "code $code"; }
code mount -t zsyncfs -o refrehs=1m "$URL" "$MNT"
code mount -t zsyncfs -o header=x "$URL" "$MNT"
code mount -t zsyncfs -o refresh "$URL" "$MNT"
code mount -t zsyncfs -o "config=$WORK/config.toml,$OPTIONS" daily "$MNT"
code mount -t zsyncfs -o "$OPTIONS" http://127.0.0.1:1/ "$MNT"
code mount -f -t zsyncfs "$URL" "$MNT"
code mount -s -t zsyncfs -o refrehs=1m,"$OPTIONS" "$URL" "$MNT"; umount "$MNT"
`
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: s.URL("/"), Dir: mnt, CacheDir: cache, Environment: []string{
		"HOME=", "XDG_CACHE_HOME=", "WORK=" + work, "PROGRAM=" + binary(t), "MNT=" + mnt, "WANT=" + filepath.Join(dir, "t.img"),
		"URL=" + s.URL("/"), "OPTIONS=" + options,
	}})
	r := daemon.Command(t, m.Program("unshare", "-m", "sh", "-c", script))
	if r.Code != 0 {
		t.Fatal(r)
	}
	want := "fstab\nmount.zsyncfs: " + s.URL("/") + " mounted on " + mnt + "\ntype\nfuse\narchive\ncode 1\ncode 1\ncode 1\ncode 1\ncode 32\ncode 0\ncode 0\n"
	if got := r.Output; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, want := range []string{
		`there is no option "refrehs"; did you mean "refresh"?`, "option header: everybody can read /etc/fstab",
		"option refresh wants a value: refresh=", config + ":4:1: there is no setting", "connection refused",
	} {
		if !strings.Contains(r.Errors, want) {
			t.Errorf("%q was not told in %s", want, r.Errors)
		}
	}
	eventually(t, "no daemon is left", func() error { return noProcess(m) })
}
