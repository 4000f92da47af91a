package daemon

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/fs"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// Status is a snapshot of a daemon. Its JSON keys are stable: new ones are
// added, none is changed.
type Status struct {
	PID     int           `json:"pid"`
	Version string        `json:"version"`
	Since   time.Time     `json:"since"`
	Ending  bool          `json:"ending"`         // nothing keeps it: its last mount has gone
	Page    string        `json:"page,omitempty"` // URL of the status page
	Store   StoreStatus   `json:"store"`
	Mounts  []MountStatus `json:"mounts"` // sorted by Dir
	Gets    []GetStatus   `json:"gets"`   // the oldest first
}

// StoreStatus is the block store. Sizes are bytes.
type StoreStatus struct {
	Dir       string `json:"dir"`
	Versions  int    `json:"versions"`
	DataBytes int64  `json:"data_bytes"` // of blocks, each once
	// SharedBytes are what versions have in common, and would take up besides.
	SharedBytes int64 `json:"shared_bytes"`
	Limit       int64 `json:"limit"`    // largest disk_bytes; 0: none
	MinFree     int64 `json:"min_free"` // smallest free_bytes
	DiskBytes   int64 `json:"disk_bytes"`
	FreeBytes   int64 `json:"free_bytes"`
	// Trouble is why nothing more is kept of what is fetched; absent: it is.
	Trouble *TroubleStatus `json:"trouble,omitempty"`
}

// TroubleStatus is a store that keeps nothing more, while reads go on.
type TroubleStatus struct {
	Since time.Time `json:"since"`
	Error string    `json:"error"`
	Hint  string    `json:"hint,omitempty"` // what to do
}

// MountStatus is one mount. Sizes are bytes.
type MountStatus struct {
	Dir       string           `json:"dir"`
	Archive   string           `json:"archive,omitempty"` // its name in the configuration file
	Detached  bool             `json:"detached"`          // unmounted, with files still open
	Source    string           `json:"source"`
	Since     time.Time        `json:"since"`
	Entries   int64            `json:"entries"`    // names known so far
	Known     int64            `json:"known"`      // artifacts whose header is known
	Bytes     int64            `json:"bytes"`      // their lengths, added up
	Requests  int64            `json:"requests"`   // HTTP requests made
	Received  int64            `json:"received"`   // bytes received over HTTP
	Errors    int64            `json:"errors"`     // HTTP attempts that failed
	Hosts     []HostStatus     `json:"hosts"`      // sorted by Host
	Open      []ArtifactStatus `json:"open"`       // artifacts that are open, sorted by URL
	Faults    []FaultStatus    `json:"faults"`     // the latest faults, oldest first
	LimitRate int64            `json:"limit_rate"` // bytes/s; 0: none
	Reads     ReadStatus       `json:"reads"`
	Blocks    BlockStatus      `json:"blocks"`
	// Rate is what was received over the last seconds, in bytes/s.
	Rate float64 `json:"rate"`
}

// ReadStatus are the reads of programs that reached the daemon since the mount was made.
// What the kernel answers itself (its page cache, passthrough) is not among them.
type ReadStatus struct {
	Local       int64   `json:"local"`        // answered at once from what was here
	Waited      int64   `json:"waited"`       // had to wait for a server or a search
	Failed      int64   `json:"failed"`       // of both
	LocalBytes  int64   `json:"local_bytes"`  // given at once
	WaitedBytes int64   `json:"waited_bytes"` // given after a wait
	WaitSeconds float64 `json:"wait_seconds"` // of all that waited, added up
	// LastFailure is the latest that failed.
	LastFailure *FaultStatus `json:"last_failure,omitempty"`

	wait fs.Histogram
}

// BlockStatus is where blocks came from since the mount was made, and what the digests of
// whole files said.
type BlockStatus struct {
	FetchedBytes int64 `json:"fetched_bytes"` // of blocks that were fetched
	ReusedBytes  int64 `json:"reused_bytes"`  // of blocks found in other versions and seeds
	Verified     int64 `json:"verified"`      // files whose digest agreed
	Suspect      int64 `json:"suspect"`       // files whose digest did not
	Repaired     int64 `json:"repaired"`      // files whose reused blocks were fetched for that
}

// ReaderStatus is a program that has an artifact open.
type ReaderStatus struct {
	PID     int    `json:"pid"`     // 0: unknown
	Program string `json:"program"` // "" for one that has ended, having given its file away
	Open    int    `json:"open"`    // how often
}

// HostStatus is one host that the mount talks to.
type HostStatus struct {
	Host           string     `json:"host"`
	Requests       int64      `json:"requests"`
	Received       int64      `json:"received"`
	Errors         int64      `json:"errors"`
	FailingSince   *time.Time `json:"failing_since,omitempty"`
	RTTSeconds     float64    `json:"rtt_seconds"`
	BytesPerSecond float64    `json:"bytes_per_second"`
	// ErrorKinds are the Errors by kind, without those that there were none of.
	ErrorKinds map[string]int64 `json:"error_kinds,omitempty"`
}

// ArtifactStatus is one artifact that is open, or was a moment ago.
type ArtifactStatus struct {
	URL         string `json:"url"` // of the control file
	Length      int64  `json:"length"`
	Blocks      int64  `json:"blocks"`
	BlocksLocal int64  `json:"blocks_local"`
	Shared      int64  `json:"blocks_shared"` // those of the local ones that other versions have
	Fetched     int64  `json:"fetched"`       // bytes since it was opened
	Reused      int64  `json:"reused"`        // bytes found in other versions and seeds since
	Searching   bool   `json:"searching"`     // for blocks in what is here
	Filling     bool   `json:"filling"`       // all of it is being fetched
	Fetches     int    `json:"fetches"`       // under way
	Users       int    `json:"users"`         // handles
	State       string `json:"state"`
	Path        string `json:"path,omitempty"` // of the file in the mount; absent while nobody has it open
	// Rate is what was fetched over the last seconds, in bytes/s.
	Rate    float64        `json:"rate"`
	Readers []ReaderStatus `json:"readers"`
}

// FaultStatus is something that went wrong.
type FaultStatus struct {
	Path  string    `json:"path"`
	Error string    `json:"error"`
	Time  time.Time `json:"time"`
}

// Status is a snapshot of d.
func (d *Daemon) Status() *Status {
	st := d.store.Stats()
	s := &Status{
		PID:     os.Getpid(),
		Version: d.options.Version,
		Since:   d.started,
		Page:    d.page.url(),
		Store: StoreStatus{
			Dir:         d.options.Store,
			Versions:    st.Versions,
			DataBytes:   st.DataBytes,
			SharedBytes: st.SharedBytes,
			Limit:       st.Limits.Size,
			MinFree:     st.Limits.MinFree,
			DiskBytes:   st.DiskBytes,
			FreeBytes:   st.FreeBytes,
			Trouble:     d.troubleStatus(st.Trouble),
		},
		Mounts: []MountStatus{},
		Gets:   d.getStatus(),
	}
	places, ending, kept := d.places()
	for m, place := range places {
		one := m.status()
		one.Detached = m.isDetached(place)
		kept = kept || m.keeps(one.Detached)
		s.Mounts = append(s.Mounts, one)
	}
	s.Ending = ending || !kept
	slices.SortFunc(s.Mounts, func(a, b MountStatus) int { return strings.Compare(a.Dir, b.Dir) })
	return s
}

func (d *Daemon) troubleStatus(t *blockstore.Trouble) *TroubleStatus {
	if t == nil {
		return nil
	}
	s := &TroubleStatus{Since: t.Since, Error: t.Err.Error()}
	if d.options.Describe != nil {
		_, s.Hint = d.options.Describe(t.Err)
	}
	return s
}

// places are the mounts, each with its place. ending says that the daemon has begun
// to end, kept that something else than these mounts keeps it: one that is being
// made, or a Get.
func (d *Daemon) places() (places map[*mounted]string, ending, kept bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	places = make(map[*mounted]string, len(d.mounts))
	kept = !d.served || d.gets > 0
	for place, m := range d.mounts {
		if m == nil {
			kept = true
			continue
		}
		places[m] = place
	}
	return places, d.ending, kept
}

// isEnding says what Status has as Ending.
func (d *Daemon) isEnding() bool {
	places, ending, kept := d.places()
	for m, place := range places {
		kept = kept || m.keeps(m.isDetached(place))
	}
	return ending || !kept
}

// isDetached says whether the mount, whose key among the daemon's is place, is not on its
// mount point any more.
func (m *mounted) isDetached(place string) bool { return place != m.spec.Dir || m.detached() }

// keeps says whether the mount keeps its daemon: it has not ended, and, where it is
// detached, programs have files of it open.
func (m *mounted) keeps(detached bool) bool {
	if m.ended() {
		return false
	}
	return !detached || slices.ContainsFunc(m.pool.Stats(), func(t target.Stats) bool { return t.Users > 0 })
}

func (m *mounted) status() MountStatus {
	a, c, blocks := m.archive.Stats(), m.client.Stats(), m.pool.Totals()
	s := MountStatus{
		Dir:       m.spec.Dir,
		Archive:   m.spec.Archive,
		Source:    m.name(),
		Since:     m.since,
		Entries:   int64(a.Entries),
		Known:     int64(a.Known),
		Bytes:     a.Bytes,
		Requests:  c.Requests,
		Received:  c.BytesReceived,
		Errors:    c.Errors,
		Hosts:     hostStatus(c.Hosts),
		Faults:    faultStatus(a.Faults),
		LimitRate: m.now.Load().LimitRate,
		Rate:      m.history.rate(),
		Blocks: BlockStatus{
			FetchedBytes: blocks.Fetched, ReusedBytes: blocks.Reused,
			Verified: blocks.Verified, Suspect: blocks.Suspect, Repaired: blocks.Repaired,
		},
	}
	var readers []fs.Reader
	if f := m.fs.Load(); f != nil {
		reads := f.Stats()
		readers = f.Readers()
		s.Reads = ReadStatus{
			Local: reads.Local, Waited: reads.Waited, Failed: reads.Failed, LocalBytes: reads.LocalBytes,
			WaitedBytes: reads.WaitedBytes, WaitSeconds: reads.Wait.Sum.Seconds(), wait: reads.Wait,
		}
		if last := reads.LastFailure; last != nil {
			s.Reads.LastFailure = &FaultStatus{Path: last.Path, Error: last.Err.Error(), Time: last.Time}
		}
	}
	s.Open = m.artifactStatus(readers)
	return s
}

func hostStatus(hosts []zsyncclient.HostStats) []HostStatus {
	out := []HostStatus{}
	for _, h := range hosts {
		s := HostStatus{
			Host: h.Host, Requests: h.Requests, Received: h.BytesReceived, Errors: h.Errors,
			RTTSeconds: h.RTT.Seconds(), BytesPerSecond: h.BytesPerSecond,
		}
		for _, kind := range zsyncclient.ErrorKinds() {
			if n := h.Kinds[kind]; n > 0 {
				if s.ErrorKinds == nil {
					s.ErrorKinds = map[string]int64{}
				}
				s.ErrorKinds[kind.String()] = n
			}
		}
		if !h.FailingSince.IsZero() {
			s.FailingSince = &h.FailingSince
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b HostStatus) int { return strings.Compare(a.Host, b.Host) })
	return out
}

// artifactStatus are the artifacts that are open, with the programs that have them.
func (m *mounted) artifactStatus(all []fs.Reader) []ArtifactStatus {
	readers, paths := readersOf(all)
	out := []ArtifactStatus{}
	for _, t := range m.pool.Stats() {
		a := ArtifactStatus{
			URL: t.URL, Length: t.Length, Blocks: t.Blocks, BlocksLocal: t.Local,
			Shared: t.Shared, Reused: t.Reused, Searching: t.Searching, Filling: t.Filling,
			Fetched: t.Fetched, Fetches: t.Flights, Users: t.Users, State: t.State,
			Path: paths[t.URL], Rate: m.history.rateOf(t.URL), Readers: readers[t.URL],
		}
		if a.Readers == nil {
			a.Readers = []ReaderStatus{}
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b ArtifactStatus) int { return strings.Compare(a.URL, b.URL) })
	return out
}

func faultStatus(faults []archive.Fault) []FaultStatus {
	out := []FaultStatus{}
	for _, f := range faults {
		out = append(out, FaultStatus{Path: f.Path, Error: f.Err, Time: f.Time})
	}
	return out
}
