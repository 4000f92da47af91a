package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// rsyncd is rsync's own server, of the web server's root.
type rsyncd struct {
	b       *bench
	addr    string // host:port
	log     string // path
	process *process
}

const rsyncdConfig = `use chroot = no
log file = %s
[root]
path = %s
read only = yes
`

// startRsyncd returns when the server answers.
func (b *bench) startRsyncd() (*rsyncd, error) {
	program, err := b.path(rsync)
	if err != nil {
		return nil, err
	}
	dir, err := b.newFolder("rsyncd")
	if err != nil {
		return nil, err
	}
	d := &rsyncd{b: b, log: filepath.Join(dir, "log")}
	if err := freeAddrs(&d.addr); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "rsyncd.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, rsyncdConfig, d.log, b.root), 0o644); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(d.addr)
	if err != nil {
		return nil, err
	}
	d.process, err = startProcess(b.res, filepath.Join(dir, "output"), program,
		"--daemon", "--no-detach", "--config="+config, "--address="+host, "--port="+port)
	if err != nil {
		return nil, err
	}
	return d, b.waitFor("rsync's server answers", 20*time.Second, func() (bool, error) {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			return false, nil
		}
		return true, c.Close()
	})
}

// url is that of a file below the web server's root.
func (d *rsyncd) url(name string) string { return "rsync://" + d.addr + "/root/" + name }

// sentLine is what the log says at the end of a transfer.
var sentLine = regexp.MustCompile(`\] sent (\d+) bytes  received \d+ bytes  total size \d+\n`)

// sent is how many bytes the transfers have sent, once as many as this have ended
// and so have the processes that did them.
func (d *rsyncd) sent(transfers int) (int64, error) {
	var lines [][][]byte
	err := d.b.waitFor("rsync's transfers end", endsWithin, func() (bool, error) {
		text, err := os.ReadFile(d.log)
		if err != nil {
			return false, err
		}
		lines = sentLine.FindAllSubmatch(text, -1)
		pids, err := family(d.process.cmd.Process.Pid)
		return len(lines) == transfers && len(pids) == 1, err
	})
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for _, line := range lines {
		n, err := strconv.ParseInt(string(line[1]), 10, 64)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// cpu is the CPU time in seconds of the server and of its processes that have
// ended: there is one for each connection.
func (d *rsyncd) cpu() (float64, error) {
	own, err := processCPU(d.process.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	reaped, err := reapedCPU(d.process.cmd.Process.Pid)
	return own + reaped, err
}
