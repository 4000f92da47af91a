package fs

import "testing"

func TestParseMountinfo(t *testing.T) {
	for _, c := range []struct {
		line string
		want mountEntry
	}{
		{`36 35 98:0 /m /mnt2 rw,noatime master:1 - ext3 /dev/root rw`, mountEntry{"36", "35", "98:0", "/mnt2", "ext3"}},
		{`75 23 0:52 / /mnt/a\040b\134c rw - fuse.zsyncfs http://h/ ro`, mountEntry{"75", "23", "0:52", `/mnt/a b\c`, FSType}},
		{"75 23 0:52 /x\u00a0y /mnt/a\u3000b rw - fuse.zsyncfs http://h/ ro", mountEntry{"75", "23", "0:52", "/mnt/a\u3000b", FSType}},
		{`short - line`, mountEntry{}},
		{`no separator`, mountEntry{}},
		{``, mountEntry{}},
	} {
		e, ok := parseMountinfo(c.line)
		if e != c.want || ok != (c.want.kind != "") {
			t.Errorf("%q: %+v, %v", c.line, e, ok)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	mount := func(id, parent, device string) mountEntry {
		return mountEntry{id: id, parent: parent, device: device, dir: "/mnt", kind: FSType}
	}
	ours, other := mount("50", "23", "0:52"), mount("40", "23", "0:41")
	for name, c := range map[string]struct {
		on   []mountEntry
		want place
	}{
		"alone":                    {[]mountEntry{ours}, onTop},
		"nothing there":            {nil, off},
		"another there":            {[]mountEntry{other}, off},
		"on an automount":          {[]mountEntry{mount("30", "23", "0:30"), mount("50", "30", "0:52")}, onTop},
		"under another":            {[]mountEntry{ours, mount("60", "50", "0:61")}, covered},
		"under one that was moved": {[]mountEntry{mount("40", "50", "0:41"), ours}, covered},
		"bound over itself":        {[]mountEntry{ours, mount("60", "50", "0:52")}, onTop},
		"hidden with its folder":   {[]mountEntry{ours, mount("61", "60", "0:61")}, covered},
	} {
		if got := placeOf("0:52", c.on); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestDeviceOf(t *testing.T) {
	mount := func(parent, device, kind string) mountEntry {
		return mountEntry{id: "i" + parent + device, parent: parent, device: device, dir: "/mnt", kind: kind}
	}
	for name, c := range map[string]struct {
		on   []mountEntry
		want string
	}{
		"none":            {nil, ""},
		"alone":           {[]mountEntry{mount("23", "0:52", FSType)}, "0:52"},
		"twice, shared":   {[]mountEntry{mount("23", "0:52", FSType), mount("24", "0:52", FSType)}, "0:52"},
		"on an automount": {[]mountEntry{mount("23", "0:30", "autofs"), mount("i230:30", "0:52", FSType)}, "0:52"},
		"another's":       {[]mountEntry{mount("23", "0:41", "tmpfs")}, ""},
		"two":             {[]mountEntry{mount("23", "0:52", FSType), mount("24", "0:53", FSType)}, ""},
	} {
		if got := deviceOf(c.on); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
