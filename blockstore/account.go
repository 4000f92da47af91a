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
	key        Key
	data, disk int64 // bytes of blocks that are here, bytes on the disk
	used       int64 // time of last use, seconds since 1970
}

const accountSize = 1 + 32 + 3*8

func (a account) encode() []byte {
	le := binary.LittleEndian
	out := append([]byte{1}, a.key[:]...)
	return le.AppendUint64(le.AppendUint64(le.AppendUint64(out, uint64(a.data)), uint64(a.disk)), uint64(a.used))
}

func decodeAccount(p []byte) (account, bool) {
	if len(p) != accountSize || p[0] != 1 {
		return account{}, false
	}
	le := binary.LittleEndian
	a := account{key: Key(p[1:33]), data: int64(le.Uint64(p[33:])), disk: int64(le.Uint64(p[41:])), used: int64(le.Uint64(p[49:]))}
	// The bounds keep sums over many versions from overflowing.
	return a, a.data >= 0 && a.data < 1<<56 && a.disk >= 0 && a.disk < 1<<56
}
