package main

import (
	"slices"
	"strings"
	"testing"
)

func TestIsHelperCall(t *testing.T) {
	for _, tt := range []struct {
		argv0 string
		args  string
		want  bool
	}{
		{"/sbin/mount.zsyncfs", "http://h/ /mnt", true},
		{"/sbin/mount.fuse.zsyncfs", "", true},
		{"zsyncfs", "http://h/ /mnt -o rw", true},
		{"zsyncfs", "daily /mnt -o rw,noauto", true},
		{"zsyncfs", "http://h/ /mnt", false},
		{"zsyncfs", "get http://h/x.zsync -o x", false},
		{"zsyncfs", "mount /x -o y", false},
		{"zsyncfs", "make /srv/x -o y", false},
		{"zsyncfs", "--config x -o y", false},
		{"zsyncfs", "", false},
	} {
		if got := isHelperCall(tt.argv0, strings.Fields(tt.args)); got != tt.want {
			t.Errorf("%s %s: %v", tt.argv0, tt.args, got)
		}
	}
}

func TestParseHelper(t *testing.T) {
	for args, want := range map[string]helper{
		"http://h/ /mnt":                             {source: "http://h/", dir: "/mnt"},
		"http://h/ /mnt -o ro,x -o y":                {source: "http://h/", dir: "/mnt", options: "ro,x,y"},
		"http://h/ /mnt -sfnv -o ro -t fuse.zsyncfs": {source: "http://h/", dir: "/mnt", options: "ro", sloppy: true, fake: true, verbose: true},
		"-v http://h/ /mnt":                          {source: "http://h/", dir: "/mnt", verbose: true},
	} {
		got, err := parseHelper("m", strings.Fields(args))
		if want.name = "m"; err != nil || *got != want {
			t.Errorf("%s: %+v, %v", args, got, err)
		}
	}
	for args, want := range map[string]string{
		"http://h/":              "SOURCE and DIR are wanted, 1 argument was given",
		"a b c":                  "3 arguments were given",
		"http://h/ /mnt -N 5":    "-N",
		"http://h/ /mnt -t ext4": "the type is zsyncfs",
		"http://h/ /mnt -x":      "unknown shorthand flag",
	} {
		if _, err := parseHelper("m", strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}

func TestHelperHelp(t *testing.T) {
	var out, errors strings.Builder
	if code := runHelper(t.Context(), "/sbin/mount.zsyncfs", []string{"--help"}, &out, &errors); code != 0 || errors.String() != "" {
		t.Errorf("exit code %d: %s", code, errors.String())
	}
	if want := "usage: mount.zsyncfs SOURCE DIR"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("%q does not begin with %q", out.String(), want)
	}
}

func TestMountWords(t *testing.T) {
	for options, want := range map[string][]string{
		"": nil,
		"rw,noauto,x-systemd.automount,X-y=z,_netdev,nofail,user=bob,comment=x,defaults,relatime": nil,
		"allow_other,refresh=5m":  {"--allow-other", "--refresh=5m"},
		"allow-other=false":       {"--allow-other=false"},
		`"seed=/a,b",seed=/c`:     {"--seed=/a,b", "--seed=/c"},
		`cache_dir="/a,b",noexec`: {"--cache-dir=/a,b", "--noexec"},
		"config=/x.toml":          {"--config=/x.toml"},
		"uid=1000,umask=022":      {"--uid=1000", "--umask=022"},
	} {
		if got, err := mountWords(options, false); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", options, got, err)
		}
	}
	for options, want := range map[string]string{
		"refrehs=5m":  `there is no option "refrehs"; did you mean "refresh"?`,
		"frobnicate":  `there is no option "frobnicate"; mount.zsyncfs(8) lists them`,
		"refresh":     "option refresh wants a value: refresh=",
		"header=A: b": "everybody can read /etc/fstab",
		"user=me:pw":  "everybody can read /etc/fstab",
		"foreground":  "mount(8) waits",
		"remount,ro":  "unmount and mount again",
	} {
		if got, err := mountWords(options, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %s", options, got, err, want)
		}
	}
	if got, err := mountWords("refrehs=5m,noexec", true); err != nil || !slices.Equal(got, []string{"--noexec"}) {
		t.Errorf("sloppy: %q, %v", got, err)
	}
}

// FuzzMountWords: options of strangers give flags that can be parsed, or an error.
func FuzzMountWords(f *testing.F) {
	for _, s := range []string{"rw,allow_other", `"a,b"=c`, "=,=,", "uid=\x00", "seed=", "-=x", "no-exec", "help"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, options string, sloppy bool) {
		words, err := mountWords(options, sloppy)
		for _, w := range words {
			if err == nil && (!strings.HasPrefix(w, "--") || strings.HasPrefix(w, "--user") || strings.HasPrefix(w, "--header")) {
				t.Errorf("%q gives %q", options, w)
			}
		}
	})
}
