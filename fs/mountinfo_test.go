package fs

import "testing"

func TestParseMountinfo(t *testing.T) {
	for _, c := range []struct {
		line string
		want mountEntry
	}{
		{`36 35 98:0 /m /mnt2 rw,noatime master:1 - ext3 /dev/root rw`, mountEntry{"36", "35", "98:0", "/mnt2", "ext3"}},
		{`75 23 0:52 / /mnt/a\040b\134c rw - fuse.zsyncfs http://h/ ro`, mountEntry{"75", "23", "0:52", `/mnt/a b\c`, FSType}},
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
