package archive

import (
	"bytes"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// distrustPause is the shortest time between two fetches of one file's header because
// it is not believed.
const distrustPause = 15 * time.Second

// distrust is whether a header that is here may have been damaged on its way: the server
// then says that nothing changed, and is right. The zero value is trust.
type distrust struct {
	mu   sync.Mutex
	on   bool      // guarded by mu
	last time.Time // when a fetch went without validators for it; guarded by mu
}

// raise begins to distrust, and says whether the next fetch goes without validators:
// not when one did lately.
func (d *distrust) raise(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on = true
	return d.due(now)
}

// due needs mu.
func (d *distrust) due(now time.Time) bool {
	age := now.Sub(d.last)
	return d.on && (d.last.IsZero() || age < 0 || age >= distrustPause)
}

// take says whether the fetch that begins goes without validators.
func (d *distrust) take(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.due(now) {
		return false
	}
	d.last = now
	return true
}

// end trusts again.
func (d *distrust) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on = false
}

// Distrust says that the target is not as c says, though the server may still have c: it
// may have been damaged on its way here. Until Trust, or until another control file comes,
// fetches of it take no "not modified" for an answer; at most one in distrustPause. It
// says whether the next fetch is such a one, which is due at once then.
func (f *File) Distrust(c *zsyncclient.Control) bool {
	a := f.dir.a
	h := f.doc.peek()
	if f.gone.Load() || h == nil || !bytes.Equal(h.raw, c.Raw) || !f.distrust.raise(a.o.Now()) {
		return false
	}
	f.doc.expire()
	f.ForgetRecords()
	return true
}

// Trust says that the target is as the control file says.
func (f *File) Trust() { f.distrust.end() }

// ForgetRecords forgets the first block records that came along with the header.
func (f *File) ForgetRecords() {
	c := f.dir.a.headers
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropRecords(f)
}
