package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/cmd/internal/config"
)

// TestShowSettingsHidesLogins: of no URL, also of one that is none.
func TestShowSettingsHidesLogins(t *testing.T) {
	const text = `[archive.a]
source = "http://me:SECRET pw@h/"
mirror = ["https://a.example/x", "https://me:SECRET@b.example/y?token=SECRET", "ftp://me:SECRET@c/"]
index-file = "http://me:SECRET@h/i?SECRET"
user = "me:SECRET"
header = ["A: SECRET"]
`
	file, err := config.Parse("/c.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := showSettings(&out, file, file.Archive("a")); err != nil {
		t.Fatal(err)
	}
	if err := showArchives(&out, file); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "SECRET") || !strings.Contains(text, "https://a.example/x, https://b.example/y, (not a URL)") {
		t.Error(text)
	}
}
