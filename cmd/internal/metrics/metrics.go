package metrics

import (
	"net/http"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// source is a daemon.
type source interface{ Status() *daemon.Status }

// Handler answers scrapes of what d does, and of the process.
func Handler(d source) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{d}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// collector makes metrics of a snapshot.
type collector struct{ source source }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("zsyncfs_"+name, help, labels, nil)
}

var (
	info = describe("info", "The daemon.", "version")

	storeData     = describe("store_data_bytes", "Blocks in the store, each once.")
	storeShared   = describe("store_shared_bytes", "What versions have in common, and would take besides.")
	storeDisk     = describe("store_disk_bytes", "What the store takes of its disk.")
	storeLimit    = describe("store_limit_bytes", "The most that the store may take; 0: no limit.")
	storeFree     = describe("store_disk_free_bytes", "What is free on the store's disk.")
	storeMinFree  = describe("store_min_free_bytes", "What the store leaves free.")
	storeVersions = describe("store_versions", "Versions in the store.")
	storeTrouble  = describe("store_trouble", "1 while the store keeps nothing more (a disk that is full or fails).")

	mounts     = describe("mount_info", "The mounts.", "mount", "archive", "source")
	entries    = describe("archive_entries", "Names of the archive that are known.", "mount")
	reads      = describe("reads_total", "Reads of programs that reached the daemon, by how they were answered: local at once from what was here, waited after a wait for a server or a search.", "mount", "answered")
	readsBad   = describe("read_errors_total", "Reads that failed.", "mount")
	readBytes  = describe("read_bytes_total", "Bytes given to programs, by how.", "mount", "answered")
	wait       = describe("read_wait_seconds", "How long reads waited that were not answered at once.", "mount")
	blocks     = describe("block_bytes_total", "Bytes of blocks that came into the store: remote ones from servers, reused ones from other versions and seeds.", "mount", "source")
	verified   = describe("verifications_total", "Digests of whole files: verified, suspect, or repaired because it did not agree at first.", "mount", "result")
	openFiles  = describe("open_artifacts", "Artifacts that programs have open.", "mount")
	fetches    = describe("fetches", "Fetches under way.", "mount")
	requests   = describe("http_requests_total", "HTTP requests made.", "mount", "host")
	received   = describe("http_received_bytes_total", "Bytes of bodies received.", "mount", "host")
	failures   = describe("http_errors_total", "HTTP requests that failed, by kind.", "mount", "host", "kind")
	failing    = describe("http_host_failing", "1 while a host fails.", "mount", "host")
	rtt        = describe("http_round_trip_seconds", "Round trip to the host, smoothed; 0: unknown.", "mount", "host")
	gets       = describe("gets", "Downloads through the store under way.")
	limitRates = describe("rate_limit_bytes", "The most that a mount may receive in a second; 0: no limit.", "mount")
)

// Describe says nothing: what there is depends on the mounts.
func (*collector) Describe(chan<- *prometheus.Desc) {}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.source.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(info, 1, s.Version)
	gauge(storeData, float64(s.Store.DataBytes))
	gauge(storeShared, float64(s.Store.SharedBytes))
	gauge(storeDisk, float64(s.Store.DiskBytes))
	gauge(storeLimit, float64(s.Store.Limit))
	gauge(storeFree, float64(s.Store.FreeBytes))
	gauge(storeMinFree, float64(s.Store.MinFree))
	gauge(storeVersions, float64(s.Store.Versions))
	gauge(storeTrouble, truth(s.Store.Trouble != nil))
	gauge(gets, float64(len(s.Gets)))
	for i := range s.Mounts {
		if !s.Mounts[i].Detached { // its mount point may be another mount's by now
			collectMount(out, &s.Mounts[i])
		}
	}
}

func collectMount(out chan<- prometheus.Metric, m *daemon.MountStatus) {
	dir := label(m.Dir)
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{dir}, labels...)...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{dir}, labels...)...)
	}
	gauge(mounts, 1, m.Archive, label(m.Source))
	gauge(entries, float64(m.Entries))
	gauge(limitRates, float64(m.LimitRate))
	counter(reads, m.Reads.Local, "local")
	counter(reads, m.Reads.Waited, "waited")
	counter(readsBad, m.Reads.Failed)
	counter(readBytes, m.Reads.LocalBytes, "local")
	counter(readBytes, m.Reads.WaitedBytes, "waited")
	counter(blocks, m.Blocks.FetchedBytes, "remote")
	counter(blocks, m.Blocks.ReusedBytes, "reused")
	counter(verified, m.Blocks.Verified, "verified")
	counter(verified, m.Blocks.Suspect, "suspect")
	counter(verified, m.Blocks.Repaired, "repaired")
	buckets, count := m.Reads.WaitBuckets()
	out <- prometheus.MustNewConstHistogram(wait, count, m.Reads.WaitSeconds, buckets, dir)
	var users, flights int
	for _, a := range m.Open {
		if a.Users > 0 {
			users++
		}
		flights += a.Fetches
	}
	gauge(openFiles, float64(users))
	gauge(fetches, float64(flights))
	for _, h := range m.Hosts {
		host := label(h.Host)
		counter(requests, h.Requests, host)
		counter(received, h.Received, host)
		gauge(failing, truth(h.FailingSince != nil), host)
		gauge(rtt, h.RTTSeconds, host)
		for kind, n := range h.ErrorKinds {
			counter(failures, n, host, kind)
		}
	}
}

// label is s as Prometheus takes it: control files name hosts, and users folders, with
// bytes that are no UTF-8.
func label(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return report.Printable(s)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
