package webserver

import (
	"reflect"
	"testing"
)

func TestParseLog(t *testing.T) {
	text := `"GET /a%20b.zsync?x=1 HTTP/1.1" "bytes=0-9" 206 10
"HEAD / HTTP/1.1" "-" 200 -
noise
"GET /t HTTP/1.0" "" 404 153
"GET /unfinished HTTP/1.1" "" 2`
	want := Requests{
		{"GET", "/a b.zsync", "bytes=0-9", 206, 10},
		{"HEAD", "/", "", 200, 0},
		{"GET", "/t", "", 404, 153},
	}
	got := parseLog(text, combinedLine)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := got.Bytes(); n != 163 {
		t.Errorf("Bytes: %d", n)
	}
	if c := got.Control(); len(c) != 1 || c[0].Path != "/a b.zsync" {
		t.Errorf("Control: %v", c)
	}
	if d := got.Data(); len(d) != 1 || d[0].Path != "/t" {
		t.Errorf("Data: %v", d)
	}
}

func TestParsePythonLog(t *testing.T) {
	text := "Serving HTTP on 127.0.0.1 port 1 (http://127.0.0.1:1/) ...\n" +
		`127.0.0.1 - - [22/Nov/2025 17:20:00] "GET /x%2B HTTP/1.1" 200 -` + "\n" +
		`127.0.0.1 - - [22/Nov/2025 17:20:00] code 404, message File not found` + "\n"
	got := parseLog(text, pythonLine)
	if want := (Requests{{"GET", "/x+", "", 200, -1}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := got.Bytes(); n != 0 {
		t.Errorf("Bytes: %d", n)
	}
}
