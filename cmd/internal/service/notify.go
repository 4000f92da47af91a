package service

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Ready tells that the daemon can be used, with a line for "systemctl status"; "": that
// stays.
func Ready(status string) {
	state := []string{daemon.SdNotifyReady}
	if status != "" {
		state = append(state, "STATUS="+status)
	}
	tell(state...)
}

// Stopping tells that the daemon has begun to end.
func Stopping() { tell(daemon.SdNotifyStopping) }

// Reloading tells that the configuration is being read; Ready must follow.
func Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return
	}
	tell(daemon.SdNotifyReloading, fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// tellPatience is how long a manager that does not read is waited for.
const tellPatience = time.Second

// tell sends lines. Who does not listen misses nothing that the daemon needs.
func tell(lines ...string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	if conn.SetWriteDeadline(time.Now().Add(tellPatience)) == nil {
		_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
	}
}

// Watchdog asks for signs of life, as often as the service manager wants them.
type Watchdog struct {
	// C has an element when it is time for Tell; nil where nobody waits for it.
	C      <-chan time.Time
	ticker *time.Ticker
}

// NewWatchdog is the watchdog of this process. Stop must follow.
func NewWatchdog() *Watchdog {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return &Watchdog{}
	}
	t := time.NewTicker(every / 3)
	return &Watchdog{C: t.C, ticker: t}
}

// Tell tells that the daemon lives.
func (w *Watchdog) Tell() { tell(daemon.SdNotifyWatchdog) }

// Stop ends C.
func (w *Watchdog) Stop() {
	if w.ticker != nil {
		w.ticker.Stop()
	}
}
