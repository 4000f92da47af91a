package whole

import (
	"bytes"
	"context"
	"testing"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// damaged is the control file of path as it comes when a bit of its records is flipped on
// the way.
func (f *fixture) damaged(path string) *zsyncclient.Control {
	f.t.Helper()
	ctl := f.control(path)
	ctl.Records = bytes.Clone(ctl.Records)
	ctl.Records[50] ^= 1
	return ctl
}

// again is Options.Again for path.
func (f *fixture) again(path string) func(context.Context) (*zsyncclient.Control, error) {
	return func(context.Context) (*zsyncclient.Control, error) { return f.control(path), nil }
}

// TestDamagedControl: a control file that is damaged on its way, once, costs nothing of what
// is here: of a verified version, and of one that has the first half.
func TestDamagedControl(t *testing.T) {
	for name, whole := range map[string]bool{"verified": true, "half": false} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			data := randomBytes(6, 1<<20)
			f.publish("/x", data, nil)
			missing := 0
			if whole {
				f.run("/x", data, nil)
			} else {
				half := f.fill("/x", nil)
				must(t, half.open(t.Context()))
				missing = len(data) / 2
				must(t, half.version.Put(0, data[:len(data)-missing]))
				must(t, half.Close())
			}
			_, sent := f.run("/x", data, func(o *Options) {
				o.Control, o.Again = f.damaged("/x"), f.again("/x")
			})
			if sent != int64(missing) {
				t.Errorf("%d bytes were fetched, of %d that are missing", sent, missing)
			}
		})
	}
}
