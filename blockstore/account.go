package blockstore

import (
	"encoding/binary"
	"encoding/hex"
)

func keyEntry(k Key, name string) entry {
	e := entry{key: indexKey + hex.EncodeToString(k[:])}
	if name != "" {
		e.value = []byte(name)
	}
	return e
}

func accountEntry(name string, a account) entry {
	return entry{key: indexVersion + name, value: a.encode()}
}

// account is what the index says about a version that is not open.
type account struct {
	key    Key
	state  State
	length int64 // of the target, in bytes
	data   int64 // bytes of blocks that are here
	own    int64 // those of them that are in the own segment
	disk   int64 // bytes on the disk
	used   int64 // time of last use, seconds since 1970
	place  Place
	// owners are the versions in whose segments the others are, at most
	// maxOwners.
	owners []Key
}

// maxOwners bounds in how many other versions' segments one has blocks: each is
// a descriptor while it is open.
const maxOwners = 64

// An account is encoded, little-endian, as
//
//	0    layout, 1 byte: 2
//	1    Key
//	33   State, 1 byte
//	34   length, data, own, disk, used: 8 bytes each
//	74   length of the place, 2 bytes
//	76   place
//	...  owners: Keys
const (
	accountLayout = 2
	accountFixed  = 76
)

func (a account) encode() []byte {
	le := binary.LittleEndian
	out := append([]byte{accountLayout}, a.key[:]...)
	out = append(out, byte(a.state))
	for _, n := range []int64{a.length, a.data, a.own, a.disk, a.used} {
		out = le.AppendUint64(out, uint64(n))
	}
	out = append(le.AppendUint16(out, uint16(len(a.place))), a.place...)
	for _, k := range a.owners {
		out = append(out, k[:]...)
	}
	return out
}

func decodeAccount(p []byte) (account, bool) {
	le := binary.LittleEndian
	if len(p) < accountFixed || p[0] != accountLayout || p[33] > byte(Suspect) {
		return account{}, false
	}
	a := account{key: Key(p[1:33]), state: State(p[33])}
	for i, n := range []*int64{&a.length, &a.data, &a.own, &a.disk, &a.used} {
		*n = int64(le.Uint64(p[34+8*i:]))
	}
	n, rest := int(le.Uint16(p[accountFixed-2:])), p[accountFixed:]
	if n > len(rest) || n > maxPlace {
		return account{}, false
	}
	a.place, rest = Place(rest[:n]), rest[n:]
	if len(rest)%len(Key{}) != 0 || len(rest) > maxOwners*len(Key{}) {
		return account{}, false
	}
	for ; len(rest) > 0; rest = rest[len(Key{}):] {
		a.owners = append(a.owners, Key(rest[:len(Key{})]))
	}
	// The bounds keep sums over many versions from overflowing.
	sane := func(n int64) bool { return n >= 0 && n < 1<<56 }
	return a, sane(a.length) && sane(a.data) && sane(a.own) && sane(a.disk)
}
