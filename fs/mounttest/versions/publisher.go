package versions

import (
	"bytes"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// Publisher replaces an artifact and its control file under the same name.
type Publisher struct {
	name            string
	dir, staging    string
	target, control atomic.Int64 // versions that stand, or are just being put there
}

// NewPublisher publishes name in dir. staging is a folder of the same file
// system that no server shows.
func NewPublisher(dir, staging, name string) *Publisher {
	return &Publisher{name: name, dir: dir, staging: staging}
}

// Prepared is a version that is ready to be put in place.
type Prepared struct {
	p               *Publisher
	version         int
	target, control string // where the files are
}

// Prepare writes the files of a version.
func (p *Publisher) Prepare(version int) (*Prepared, error) {
	content := Content(version)
	b, err := format.NewBuilder(format.BuilderOptions{
		Filename: p.name, URLs: []string{p.name}, BlockSize: blockSize(version), MTime: time.Unix(1_700_000_000, 0),
	})
	if err != nil {
		return nil, err
	}
	if _, err := b.Write(content); err != nil {
		return nil, err
	}
	var control bytes.Buffer
	if _, err := b.WriteTo(&control); err != nil {
		return nil, err
	}
	out := &Prepared{p: p, version: version, target: filepath.Join(p.staging, p.name)}
	out.control = out.target + ".zsync"
	if err := os.WriteFile(out.target, content, 0o644); err != nil {
		return nil, err
	}
	return out, os.WriteFile(out.control, control.Bytes(), 0o644)
}

// PutTarget puts the artifact in place of the one that is there.
func (v *Prepared) PutTarget() error {
	v.p.target.Store(int64(v.version))
	return os.Rename(v.target, filepath.Join(v.p.dir, v.p.name))
}

// PutControl does the same with the control file.
func (v *Prepared) PutControl() error {
	v.p.control.Store(int64(v.version))
	return os.Rename(v.control, filepath.Join(v.p.dir, v.p.name+".zsync"))
}

// Publish prepares a version and puts it in place, the artifact or the control
// file first; between is called when only one of both is there.
func (p *Publisher) Publish(version int, targetFirst bool, between func()) error {
	v, err := p.Prepare(version)
	if err != nil {
		return err
	}
	first, second := v.PutControl, v.PutTarget
	if targetFirst {
		first, second = second, first
	}
	if err := first(); err != nil {
		return err
	}
	between()
	return second()
}

// Gone says whether a part of a version is not there any more.
func (p *Publisher) Gone(version int) bool {
	return p.target.Load() > int64(version) || p.control.Load() > int64(version)
}
