package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is the web server of a run, and its access log.
type server struct {
	addr     string // host:port
	slowAddr string // the same for the slow line
	log      string // path
	process  *process
	settles  int
}

// entry is one line of the access log.
type entry struct {
	path string
	sent int64 // bytes sent, headers included
	body int64 // bytes sent of the body
}

// One process: the log has the order of the requests' ends. nginx leaves
// Accept-Ranges out of a 206, and httpfs2 reads nothing without it. What the
// kernel has taken counts as sent: for the slow line that must be little.
const nginxConfig = `daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/error.log warn;
events { worker_connections 1024; }
http {
  types { text/html html; }
  default_type application/octet-stream;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3;
  uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  log_format bench '$request_uri $bytes_sent $body_bytes_sent';
  access_log %[1]s/access.log bench;
  sendfile on;
  keepalive_requests 1000000;
  server {
    listen %[2]s;
    listen %[3]s sndbuf=64k;
    root %[4]q;
    autoindex on;
    add_header Accept-Ranges bytes;
  }
}
`

// settlePath begins the paths of the requests that are made to see the log's end.
const settlePath = "/.settle-"

// startNginx serves root on a free port, with its files in dir.
func startNginx(res *resources, dir, root string) (*server, error) {
	program, err := find("nginx")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		s := &server{log: filepath.Join(dir, "access.log")}
		err := s.start(res, program, dir, root)
		// A free port can be taken by another process before nginx has it.
		if err == nil || try == 3 {
			return s, err
		}
	}
}

func (s *server) start(res *resources, program, dir, root string) error {
	if err := freeAddrs(&s.addr, &s.slowAddr); err != nil {
		return err
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, s.addr, s.slowAddr, root), 0o644); err != nil {
		return err
	}
	var err error
	s.process, err = startProcess(res, filepath.Join(dir, "output.log"), program,
		"-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", config)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err = s.request(settlePath + "start"); err == nil {
			return nil
		}
		select {
		case <-s.process.ended:
			return fmt.Errorf("nginx ended: %s", s.process.said())
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("nginx does not answer: %w", err)
		}
	}
}

// freeAddrs sets addrs to loopback addresses with ports that are free and differ.
func freeAddrs(addrs ...*string) error {
	for _, addr := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		*addr = l.Addr().String()
	}
	return nil
}

func (s *server) request(path string) error {
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + s.addr + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// mark is the present end of the log: requests that end later are behind it.
func (s *server) mark() (int64, error) {
	if _, err := s.settled(0); err != nil {
		return 0, err
	}
	info, err := os.Stat(s.log)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// since returns the requests that have ended since mark returned from. A
// request is in the log when its connection has been closed at the latest: call
// it after the client has ended.
func (s *server) since(from int64) ([]entry, error) { return s.settled(from) }

// settled reads the log from an offset on, once it has the line of a request
// made now and has not grown since.
func (s *server) settled(from int64) ([]entry, error) {
	s.settles++
	own := fmt.Sprintf("%s%d", settlePath, s.settles)
	if err := s.request(own); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(20 * time.Second)
	for before := -1; ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(s.log)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(text), own+" ") && len(text) == before {
			return parseLog(string(text[min(from, int64(len(text))):])), nil
		}
		before = len(text)
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("nginx does not write its log")
		}
	}
}

// parseLog reads the complete lines of a log, without the settling requests.
func parseLog(text string) []entry {
	var out []entry
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || !strings.HasSuffix(line, "\n") || strings.HasPrefix(fields[0], settlePath) {
			continue
		}
		sent, err1 := strconv.ParseInt(fields[1], 10, 64)
		body, err2 := strconv.ParseInt(fields[2], 10, 64)
		if err1 == nil && err2 == nil {
			out = append(out, entry{fields[0], sent, body})
		}
	}
	return out
}

// traffic is the sum of some log entries.
type traffic struct {
	requests int
	files    int   // requests for anything but listings
	sent     int64 // everything, headers included
	data     int64 // bodies of targets: neither listings nor control files
}

func sum(entries []entry) traffic {
	var t traffic
	for _, e := range entries {
		t.requests++
		t.sent += e.sent
		if !strings.HasSuffix(e.path, "/") {
			t.files++
		}
		if !strings.HasSuffix(e.path, ".zsync") && !strings.HasSuffix(e.path, "/") {
			t.data += e.body
		}
	}
	return t
}
