package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
)

const (
	clientsFolder = "clients/"
	clientsOld    = clientsFolder + "old.img"
	clientsNew    = clientsFolder + "new.img"

	clientsChanged = 0.025 // the part of the image that is new
	clientsAtOnce  = 4
)

var clientsMetrics = []metric{
	{key: "cpu", title: "CPU of the server", unit: "s", lower: true, timed: true, goal: atMost(0.5)},
	{key: "cpu-each", title: "  / client", unit: "ms", lower: true},
	{key: "sent", title: "bytes sent / client", unit: "MB", lower: true},
	{key: "requests", title: "requests / client", lower: true},
}

// clientsRow is about the server: what it costs it that many clients update.
func clientsRow(mk maker) row {
	return row{
		name: "clients." + mk.name, title: "many clients update an image with 2.5 % changed; " + mk.title,
		tools: []*tool{zsync, debianZsync, rsync}, needs: []*tool{mk.tool},
		files: []string{clientsFolder, mk.controlFolder(clientsFolder)}, metrics: clientsMetrics, measure: clients(mk),
	}
}

// clients lets all clients update, some at a time, and looks at the server before
// and after. rsync has its own, which counts no requests.
func clients(mk maker) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		count := float64(b.sizes.Clients)
		cpu, d, err := b.serverCPU(t)
		if err != nil {
			return nil, err
		}
		var before, after float64
		got, err := b.logged(func() error {
			if before, err = cpu(); err != nil {
				return err
			}
			if err := b.runClients(t, b.updater(t, mk, d)); err != nil {
				return err
			}
			if d != nil {
				return nil // its processes may not have ended
			}
			after, err = cpu()
			return err
		})
		if err != nil {
			return nil, err
		}
		s := sample{}
		if d == nil {
			s["requests"] = float64(got.requests) / count
		} else {
			if got.sent, err = d.sent(b.sizes.Clients); err != nil {
				return nil, err
			}
			if after, err = cpu(); err != nil {
				return nil, err
			}
		}
		s["cpu"], s["cpu-each"] = after-before, (after-before)/count*1e3
		s["sent"] = float64(got.sent) / count / 1e6
		return s, nil
	}
}

// serverCPU says what the server of a tool has used of the CPU so far, in seconds.
// That of rsync is started.
func (b *bench) serverCPU(t *tool) (cpu func() (float64, error), d *rsyncd, err error) {
	if t != rsync {
		return func() (float64, error) { return processCPU(b.server.process.cmd.Process.Pid) }, nil, nil
	}
	d, err = b.startRsyncd()
	if err != nil {
		return nil, nil, err
	}
	return d.cpu, d, nil
}

// runClients runs all clients, each in a folder of its own that goes with it.
func (b *bench) runClients(t *tool, update updater) error {
	dir, err := b.newFolder("clients")
	if err != nil {
		return err
	}
	var next atomic.Int64
	return together(clientsAtOnce, func(int) error {
		for i := next.Add(1); i <= int64(b.sizes.Clients); i = next.Add(1) {
			if err := b.runClient(t, update, filepath.Join(dir, fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	})
}

// runClient is one client. What it made must be the target.
func (b *bench) runClient(t *tool, update updater, dir string) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := b.prepare(t, dir, clientsNew, clientsOld); err != nil {
		return err
	}
	if _, err := update(dir, clientsNew, clientsOld); err != nil {
		return err
	}
	if err := same(filepath.Join(dir, path.Base(clientsNew)), b.original(clientsNew)); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// clientsFiles are the files of these rows.
func (b *bench) clientsFiles() []file {
	return append([]file{{clientsFolder, func() error {
		if err := b.newRootFolder(clientsFolder); err != nil {
			return err
		}
		old, length := b.original(clientsOld), b.sizes.ClientImage
		if err := writeImage(old, length, []content{{0, length}}, 71); err != nil {
			return err
		}
		return writeChanged(b.original(clientsNew), old, 0, length, clientsChanged, 72)
	}}}, b.controls(clientsFolder, path.Base(clientsNew))...)
}
