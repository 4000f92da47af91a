package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
)

// Asked is how a mount was asked for: what was typed and what the environment said, to
// be completed by the configuration file. It is for the Renew of Options, here it has
// no meaning.
type Asked struct {
	Flags  []string // paths are absolute
	Args   []string
	Config string // path of the file; "" for none
}

// ErrNoArchive says that a configuration has no archive of that name.
var ErrNoArchive = errors.New("no archive of that name")

// Reload has all mounts that were asked for with a configuration be as the file is now,
// as far as that is possible while they are mounted; what is not is logged. Files that
// are open keep most of what they were opened with. When the file has a fault nothing
// is changed. An archive that is gone from it stays mounted as it is. Errors: those of
// Options.Renew. Safe for concurrent use.
func (d *Daemon) Reload() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	type change struct {
		m    *mounted
		spec Spec
	}
	var changes []change
	var errs []error
	for m := range d.mountedNow() {
		if m.spec.Asked == nil || d.options.Renew == nil {
			continue
		}
		spec, err := d.options.Renew(*m.spec.Asked)
		switch {
		case errors.Is(err, ErrNoArchive):
			d.options.Log.Warn(err.Error()+"; it stays mounted as it was", "mount", m.spec.Dir)
		case err != nil:
			if !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
				errs = append(errs, err)
			}
		default:
			changes = append(changes, change{m, spec})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var before []*Spec
	for _, c := range changes {
		before = append(before, c.m.now.Load())
		d.share(&c.spec)
		d.keepSeedsOutOfMounts(&c.spec)
		for _, name := range c.m.change(c.spec) {
			d.options.Log.Warn(name+" has changed, which takes an unmount and another mount", "mount", c.m.spec.Dir)
		}
	}
	d.unshare(before)
	d.options.Log.Info("configuration reloaded", "mounts", len(changes))
	return nil
}

// mountedNow are the mounts, each with its place.
func (d *Daemon) mountedNow() map[*mounted]string {
	places, _, _ := d.places()
	return places
}

// share puts in force what spec says of the daemon: limits of the store, what is logged,
// and where the status page is.
func (d *Daemon) share(spec *Spec) {
	if spec.CacheSize != nil || spec.CacheMinFree != nil {
		if err := SetLimits(d.store, spec.CacheSize, spec.CacheMinFree); err != nil {
			d.options.Log.Warn(err.Error(), "mount", spec.Dir)
		}
	}
	if spec.LogLevel != nil && d.options.Level != nil {
		d.options.Level.Set(*spec.LogLevel)
	}
	if spec.HTTP != "" {
		if err := d.Listen(spec.HTTP); err != nil {
			d.options.Log.Error("status page: "+err.Error(), "mount", spec.Dir)
		}
	}
}

// unshare puts out of force what some specs said of the daemon that are not in force any
// more, unless a mount says it still. The limits of the store stay, which it keeps itself.
func (d *Daemon) unshare(before []*Spec) {
	var now []*Spec
	for m := range d.mountedNow() {
		now = append(now, m.now.Load())
	}
	page := func(s *Spec) bool { return s.HTTP != "" }
	if slices.ContainsFunc(before, page) && !slices.ContainsFunc(now, page) {
		_ = d.Listen("") // nothing that can fail
		d.options.Log.Info("the status page has ended")
	}
	level := func(s *Spec) bool { return s.LogLevel != nil }
	if slices.ContainsFunc(before, level) && !slices.ContainsFunc(now, level) && d.options.Level != nil {
		d.options.Level.Set(slog.LevelInfo)
	}
}

// change has m be as spec says, and returns what cannot be changed while it is mounted.
func (m *mounted) change(spec Spec) (fixed []string) {
	old := m.now.Load()
	if spec.LimitRate != old.LimitRate {
		m.client.SetLimitRate(spec.LimitRate)
	}
	m.archive.SetRefresh(spec.Refresh)
	m.pool.SetOptions(func(o *target.Options) { m.targetOptions(o, &spec) })
	if f := m.fs.Load(); f != nil {
		f.SetTimes(spec.Refresh, spec.ReadDeadline)
	}
	m.now.Store(&spec)
	return fixedDifferences(&m.spec, &spec)
}

// fixedDifferences are the settings that differ in a and b and that a mount keeps, by
// the names of their flags.
func fixedDifferences(a, b *Spec) []string {
	var out []string
	for _, s := range []struct {
		name string
		of   func(*Spec) any
	}{
		{"source", func(s *Spec) any { return s.Source }},
		{"index-file", func(s *Spec) any { return s.IndexFile }},
		{"mount-point", func(s *Spec) any { return s.Dir }},
		{"allow-other", func(s *Spec) any { return []any{s.AllowOther, s.ShareAccess} }},
		{"uid", func(s *Spec) any { return s.UID }},
		{"gid", func(s *Spec) any { return s.GID }},
		{"umask", func(s *Spec) any { return s.Umask }},
		{"noexec", func(s *Spec) any { return s.NoExec }},
		{"passthrough", func(s *Spec) any { return s.NoPassthrough }},
		{"user, header or netrc", func(s *Spec) any { return []any{s.User, strings.Join(s.Header, "\n"), s.Netrc} }},
		{"a certificate", func(s *Spec) any { return []any{s.CACert, s.Cert, s.Key, s.Insecure} }},
		{"allow-private", func(s *Spec) any { return s.AllowPrivate }},
		{"mirror", func(s *Spec) any { return fmt.Sprint(s.Mirrors) }},
	} {
		if !reflect.DeepEqual(s.of(a), s.of(b)) {
			out = append(out, s.name)
		}
	}
	return out
}

// alivePatience is how long a daemon that lives takes at most to say so.
const alivePatience = 5 * time.Second

// Alive says whether the daemon still does its work: that no lock is held for ever.
func (d *Daemon) Alive() bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Status()
	}()
	select {
	case <-done:
		return true
	case <-time.After(alivePatience):
		return false
	}
}

// Serves says whether something is mounted on dir, or being mounted.
func (d *Daemon) Serves(dir string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.mounts[dir]
	return ok
}
