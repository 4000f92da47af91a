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
	key  Key
	data int64 // bytes of blocks that are here
	own  int64 // those of them that are in the own segment
	disk int64 // bytes on the disk
	used int64 // time of last use, seconds since 1970
	// owners are the versions in whose segments the others are, at most
	// maxOwners.
	owners []Key
}

// maxOwners bounds in how many other versions' segments one has blocks: each is
// a descriptor while it is open.
const maxOwners = 64

const (
	accountLayout = 2
	accountFixed  = 1 + 32 + 4*8
)

func (a account) encode() []byte {
	le := binary.LittleEndian
	out := append([]byte{accountLayout}, a.key[:]...)
	for _, n := range []int64{a.data, a.own, a.disk, a.used} {
		out = le.AppendUint64(out, uint64(n))
	}
	for _, k := range a.owners {
		out = append(out, k[:]...)
	}
	return out
}

func decodeAccount(p []byte) (account, bool) {
	if len(p) < accountFixed || p[0] != accountLayout || (len(p)-accountFixed)%len(Key{}) != 0 || len(p) > accountFixed+maxOwners*len(Key{}) {
		return account{}, false
	}
	a := account{key: Key(p[1:33])}
	for i, n := range []*int64{&a.data, &a.own, &a.disk, &a.used} {
		*n = int64(binary.LittleEndian.Uint64(p[33+8*i:]))
	}
	for p = p[accountFixed:]; len(p) > 0; p = p[len(Key{}):] {
		a.owners = append(a.owners, Key(p[:len(Key{})]))
	}
	// The bounds keep sums over many versions from overflowing.
	sane := func(n int64) bool { return n >= 0 && n < 1<<56 }
	return a, sane(a.data) && sane(a.own) && sane(a.disk)
}
