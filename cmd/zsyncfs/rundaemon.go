package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/metrics"
	"github.com/zsyncfs/zsyncfs/cmd/internal/page"
	"github.com/zsyncfs/zsyncfs/cmd/internal/service"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
)

// serveForeground is the daemon, in this process, with its messages on
// standard error.
func serveForeground(ctx context.Context, r daemonRun) error {
	for _, spec := range r.specs {
		if err := clearMountPoint(spec, r.store); err != nil {
			return mountError(spec, err)
		}
	}
	err := untilUnlocked(ctx, mountStartPatience, func() error { return r.tryForeground(ctx) })
	if len(r.specs) > 1 {
		return err
	}
	return mountError(r.specs[0], err)
}

// tryForeground does it, unless another daemon has the store. One that is ending holds
// it for a moment longer.
func (r daemonRun) tryForeground(ctx context.Context) error {
	status, err := daemon.NewClient(r.store).Status(ctx)
	switch {
	case err == nil && status.Ending:
		return errLocked
	case err == nil:
		return withHint(withCode(exitStoreLocked, errors.New("a daemon serves this cache directory already")),
			"without -f the mount joins it; with -f it needs a --cache-dir of its own")
	}
	return r.run(ctx)
}

// daemonRun is a daemon in this process: what it begins with.
type daemonRun struct {
	store string
	specs []daemon.Spec // at least one
	log   *slog.Logger
	level *slog.LevelVar // of log
	// mounted is called with the outcome of the first mounts.
	mounted func(error)
	// all are the mounts that there should be, asked on a reload; nil: nobody says.
	all func() ([]daemon.Spec, error)
}

// newLog is a log of text on w, from level on. What goes to systemd's journal has its
// priority before it and no time, which the journal has.
func newLog(w io.Writer, level slog.Level) (*slog.Logger, *slog.LevelVar) {
	v := new(slog.LevelVar)
	v.Set(level)
	return slog.New(service.Handler(w, &slog.HandlerOptions{Level: v})), v
}

// garbagePercent is how much garbage a daemon lets come together, in percent of what
// is in use: a search in a large image has tables of some 70 MB, which are garbage
// all at once then. GOGC goes before it.
const garbagePercent = 40

// run runs the daemon until its last mount is gone or ctx has ended. One whose first
// mounts failed serves the others that came meanwhile.
func (r daemonRun) run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	d, err := daemon.New(ctx, daemon.Options{
		Store:   r.store,
		Version: currentVersion().Version,
		Log:     r.log,
		Level:   r.level,
		First:   &r.specs[0],
		Renew:   renew,
		Page: func(d *daemon.Daemon, address, token string) http.Handler {
			return page.Handler(ctx, d, address, token, metrics.Handler(d))
		},
		Describe: func(err error) (int, string) {
			code, hint := program.Translate(err)
			return int(code), hint
		},
	})
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1) // one that comes while mounts are made waits
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	err = r.mountAll(ctx, d)
	r.mounted(err)
	if err != nil {
		d.EndUnused()
	}
	ended := make(chan struct{})
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		r.watch(ctx, d, hup, ended)
	}()
	serr := d.Serve(ctx)
	close(ended)
	<-watching
	return errors.Join(err, serr)
}

// mountAll mounts what is to be mounted. Where some of several fail, that is logged,
// and tried again on a reload.
func (r daemonRun) mountAll(ctx context.Context, d *daemon.Daemon) error {
	if len(r.specs) == 1 {
		return d.Mount(ctx, r.specs[0])
	}
	var errs []error
	for _, spec := range r.specs {
		if err := d.Mount(ctx, spec); err != nil {
			errs = append(errs, mountError(spec, err))
			r.log.Error("mount: "+err.Error(), "mount", spec.Dir)
		}
	}
	if len(errs) == len(r.specs) {
		return errors.Join(errs...)
	}
	return nil
}

// watch tells systemd how the daemon is, and reloads the configuration on SIGHUP,
// which comes over hup.
func (r daemonRun) watch(ctx context.Context, d *daemon.Daemon, hup <-chan os.Signal, ended <-chan struct{}) {
	service.Ready("serving " + words.Count(int64(len(r.specs)), "mount"))
	beat := service.NewWatchdog()
	defer beat.Stop()
	// A reload may wait long for a server; meanwhile the watchdog is told, and what comes
	// waits in hup.
	var reloaded chan struct{} // nil while there is none under way
	wanted := hup
	for {
		select {
		case <-ctx.Done():
			service.Stopping()
			<-ended
			return
		case <-ended:
			return
		case <-beat.C:
			if d.Alive() {
				beat.Tell()
			}
		case <-wanted:
			service.Reloading()
			reloaded, wanted = make(chan struct{}), nil
			go func(done chan struct{}) {
				defer close(done)
				r.reload(ctx, d)
			}(reloaded)
		case <-reloaded:
			service.Ready("")
			reloaded, wanted = nil, hup
		}
	}
}

// reload puts the configuration in force as it is now, as far as that is possible.
func (r daemonRun) reload(ctx context.Context, d *daemon.Daemon) {
	if err := d.Reload(); err != nil {
		r.log.Error("the configuration stays as it was: " + err.Error())
		return
	}
	if r.all == nil {
		return
	}
	specs, err := r.all()
	if err != nil {
		r.log.Error("the configuration stays as it was: " + err.Error())
		return
	}
	for _, spec := range specs {
		if d.Serves(spec.Dir) {
			continue
		}
		err := clearMountPoint(spec, r.store)
		if err == nil {
			err = d.Mount(ctx, spec)
		}
		if err != nil {
			r.log.Error("mount: "+err.Error(), "mount", spec.Dir)
		}
	}
}
