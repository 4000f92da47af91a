package mounttest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
)

// loopMount mounts an image through a loop device until the end of the test.
func loopMount(t *testing.T, image, kind string) string {
	t.Helper()
	needRoot(t)
	needProgram(t, "mount", "umount")
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip(err)
	}
	dir := folder(t)
	if r := daemon.Command(t, exec.Command("mount", "-t", kind, "-o", "loop,ro", image, dir)); r.Code != 0 {
		t.Fatalf("mount -o loop,ro: %v", r)
	}
	t.Cleanup(func() {
		if r := daemon.Command(t, exec.Command("umount", dir)); r.Code != 0 {
			t.Errorf("umount: %v", r)
			_ = exec.Command("umount", "-l", dir).Run()
		}
	})
	return dir
}

func TestLoopMountOfImage(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, tree := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/made/"))
	if err := fixture.SameTrees(loopMount(t, m.Path(imageFile), "ext4"), tree); err != nil {
		t.Error(err)
	}
}

func TestReadISO(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, tree := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/zsyncmake/"))
	out := filepath.Join(folder(t), "out")
	must(t, fixture.ExtractISO(m.Path(isoFile), out))
	if err := fixture.SameTrees(out, tree); err != nil {
		t.Error(err)
	}
}

func TestQemuInfo(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := serve(t, dir)
	m := mount(t, s.URL("/made/"))
	for name, format := range map[string]string{imageFile: "raw", qemuFile: "qcow2"} {
		text, err := fixture.QemuInfo(m.Path(name))
		must(t, err)
		var info struct {
			Format string `json:"format"`
			Size   int64  `json:"virtual-size"`
		}
		must(t, json.Unmarshal([]byte(text), &info))
		if info.Format != format || info.Size != 80<<20 {
			t.Errorf("%s: %s", name, text)
		}
	}
}
