package cpuprofile

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStart(t *testing.T) {
	var said strings.Builder
	Start(&said)()
	path := filepath.Join(t.TempDir(), "cpu.pprof")
	t.Setenv(Variable, path)
	Start(&said)()
	if p, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(p, []byte{0x1f, 0x8b}) {
		t.Errorf("%d bytes that are no profile; %v", len(p), err)
	}
	if said.Len() > 0 {
		t.Errorf("said %q", &said)
	}
	t.Setenv(Variable, filepath.Join(path, "not-a-folder"))
	Start(&said)()
	if !strings.Contains(said.String(), "no profile") {
		t.Errorf("said %q", &said)
	}
}
