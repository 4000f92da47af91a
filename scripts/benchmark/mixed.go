package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
)

// changed is the part of a mixed image that its next version changes.
const changed = 0.02

// The lengths, in bytes, of areas of one kind in a mixed image, and of a change
// in it. File systems write pages.
const (
	leastArea, mostArea     = 256 << 10, 8 << 20
	leastChange, mostChange = 4 << 10, 64 << 10
	page                    = 4 << 10
)

// mixer writes what images of file systems have: areas that do not compress,
// areas like text, and zeros. The same number gives the same bytes.
type mixer struct {
	random *rand.Rand
	noise  *rand.ChaCha8
	words  []string
}

func newMixer(seed uint64) *mixer {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	m := &mixer{noise: rand.NewChaCha8(key)}
	m.random = rand.New(m.noise)
	for range 4096 {
		word := make([]byte, 2+m.random.IntN(10))
		for i := range word {
			word[i] = byte('a' + m.random.IntN(26))
		}
		m.words = append(m.words, string(word)+" ")
	}
	return m
}

// between is a multiple of a page in [least, most].
func (m *mixer) between(least, most int64) int64 {
	return (least + m.random.Int64N(most-least+page)) / page * page
}

// fill writes length bytes, random or like text.
func (m *mixer) fill(w io.Writer, length int64) error {
	if m.random.IntN(2) == 0 {
		_, err := io.CopyN(w, m.noise, length)
		return err
	}
	for length > 0 {
		word := m.words[m.random.IntN(len(m.words))]
		if m.random.IntN(12) == 0 {
			word = word[:len(word)-1] + "\n"
		}
		n, err := io.WriteString(w, word[:min(int64(len(word)), length)])
		if err != nil {
			return err
		}
		length -= int64(n)
	}
	return nil
}

// fillAt writes length bytes at an offset of f.
func (m *mixer) fillAt(f *os.File, at, length int64) error {
	w := bufio.NewWriterSize(io.NewOffsetWriter(f, at), mib)
	return errors.Join(m.fill(w, length), w.Flush())
}

// writeMixed makes an image of mixed areas: four in ten random, four in ten like
// text, the others holes.
func writeMixed(path string, length int64, seed uint64) error {
	return writeFile(path, func(f *os.File) error {
		m := newMixer(seed)
		for at := int64(0); at < length; {
			n := min(m.between(leastArea, mostArea), length-at)
			if m.random.IntN(5) != 0 {
				if err := m.fillAt(f, at, n); err != nil {
					return err
				}
			}
			at += n
		}
		return f.Truncate(length)
	})
}

// writeChanged makes a copy of an image with some parts written over in place,
// a share of the areas [start, end).
func writeChanged(path, from string, start, end int64, share float64, seed uint64) error {
	return writeFile(path, func(f *os.File) error {
		if err := copySparse(f, from); err != nil {
			return err
		}
		m := newMixer(seed)
		for left := int64(share * float64(end-start)); left > 0; {
			n := m.between(leastChange, mostChange)
			at := start + m.random.Int64N(end-start-n)/page*page
			if err := m.fillAt(f, at, n); err != nil {
				return err
			}
			left -= n
		}
		return nil
	})
}

// writeShifted makes a copy of an image with stretches of odd lengths inserted,
// a share of its length in all.
func writeShifted(path, from string, share float64, seed uint64) error {
	return writeFile(path, func(f *os.File) error {
		in, err := os.Open(from)
		if err != nil {
			return err
		}
		defer in.Close()
		info, err := in.Stat()
		if err != nil {
			return err
		}
		m := newMixer(seed)
		var inserts []content
		for left := int64(share * float64(info.Size())); left > 0; {
			c := content{m.random.Int64N(info.Size()), 1 + m.random.Int64N(mostChange)}
			inserts, left = append(inserts, c), left-c.length
		}
		slices.SortFunc(inserts, func(a, b content) int { return cmp.Compare(a.start, b.start) })
		w := bufio.NewWriterSize(f, mib)
		for _, c := range inserts {
			at, err := in.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			if _, err := io.CopyN(w, in, c.start-at); err != nil {
				return err
			}
			if err := m.fill(w, c.length); err != nil {
				return err
			}
		}
		_, err = io.Copy(w, in)
		return errors.Join(err, w.Flush())
	})
}

// writeInserted makes a copy of a file with some bytes inserted at an offset.
func writeInserted(path, from string, at, length int64) error {
	return writeFile(path, func(f *os.File) error {
		in, err := os.Open(from)
		if err != nil {
			return err
		}
		defer in.Close()
		w := bufio.NewWriterSize(f, mib)
		if _, err := io.CopyN(w, in, at); err != nil {
			return err
		}
		if _, err := w.Write(bytes.Repeat([]byte{'+'}, int(length))); err != nil {
			return err
		}
		_, err = io.Copy(w, in)
		return errors.Join(err, w.Flush())
	})
}

// copySparse copies a file with its holes.
func copySparse(to *os.File, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := to.Truncate(info.Size()); err != nil {
		return err
	}
	return eachData(in, func(start, end int64) error {
		_, err := io.Copy(io.NewOffsetWriter(to, start), io.NewSectionReader(in, start, end-start))
		return err
	})
}

// writeFile makes a file and writes it to the disk, so that the writing does
// not go on under the measurements.
func writeFile(path string, write func(f *os.File) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	return f.Sync()
}
