package access

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestURLs(t *testing.T) {
	for _, tt := range []struct {
		text string
		url  bool   // IsURL
		want string // part of ParseURL's error; "" for none
	}{
		{"http://h/x", true, ""},
		{"HTTPS://h:8443/x?y", true, ""},
		{"http://me:pw@h/", true, ""},
		{"http:///x", true, `"http:///x" names no host`},
		{"http://h/\x01", true, "is not a URL"},
		{"http://me:pw/x@h/", true, "it is not a URL"},
		{"http://h:pw?pw", true, "is not a URL"},
		{"ftp://me:pw@h/", false, "it is not an http or https URL"},
		{"ftp://h/?token=pw", false, `"ftp://h/" is not an http or https URL`},
		{"http:x", false, "names no host"},
		{"a/http://b", false, "is not an http or https URL"},
		{"", false, "is not an http or https URL"},
	} {
		if got := IsURL(tt.text); got != tt.url {
			t.Errorf("IsURL(%q) = %v", tt.text, got)
		}
		u, err := ParseURL(tt.text)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, %v", tt.text, u, err)
		}
		if err != nil && strings.Contains(tt.text, "@") && strings.Contains(err.Error(), "pw") {
			t.Errorf("a password is shown: %v", err)
		}
	}
	if got := ParseURLs([]string{"http://a/", "x", "", "https://b/"}); len(got) != 2 || got[1].Host != "b" {
		t.Errorf("%v", got)
	}
}

func TestParseHeader(t *testing.T) {
	h, err := ParseHeader([]string{"A: 1", "a:2 ", " B :x:y"})
	if err != nil || strings.Join(h["A"], " ") != "1 2" || h.Get("b") != "x:y" {
		t.Errorf("%v, %v", h, err)
	}
	for _, line := range []string{"secret", ": secret"} {
		if _, err := ParseHeader([]string{line}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestReadControlOfWhatIsNone(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadControl(t.Context(), dir, nil); !errors.Is(err, ErrDirectory) {
		t.Error(err)
	}
	if _, err := ReadControl(t.Context(), filepath.Join(dir, "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
