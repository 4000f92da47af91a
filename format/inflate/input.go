package inflate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrHistory: the stream refers to output before the window that was given.
var ErrHistory = errors.New("the stream refers to what came before its start")

// ErrDamaged is what errors about a stream that is no DEFLATE wrap.
var ErrDamaged = errors.New("damaged DEFLATE stream")

func damaged(what string) error { return fmt.Errorf("%w: %s", ErrDamaged, what) }

// input is the stream as bits. bits holds count of them beyond those consumed,
// the next in bit 0; what is above count is zero or what follows in buf.
type input struct {
	r     io.Reader
	err   error // of r
	buf   []byte
	start int   // of what is not in bits
	at    int64 // position in the stream of the bit after those in bits
	bits  uint64
	count uint
}

const inputSize = 32 << 10

// reset starts at the bit of that number; r's first byte has it.
func (in *input) reset(r io.Reader, bit int64) error {
	in.r, in.err, in.start, in.bits, in.count = r, nil, 0, 0, 0
	if in.buf == nil {
		in.buf = make([]byte, 0, inputSize)
	}
	in.buf = in.buf[:0]
	in.at = bit &^ 7
	skip := uint(bit & 7)
	if skip == 0 {
		return nil
	}
	_, err := in.take(skip)
	return err
}

// position is the bit that comes next.
func (in *input) position() int64 { return in.at - int64(in.count) }

// refill brings at least 56 bits, or all that are left of the stream.
func (in *input) refill() {
	if in.start+8 <= len(in.buf) {
		in.bits |= binary.LittleEndian.Uint64(in.buf[in.start:]) << in.count
		n := (63 - in.count) >> 3
		in.start += int(n)
		in.count += n * 8
		in.at += int64(n) * 8
		return
	}
	in.refillSlowly()
}

func (in *input) refillSlowly() {
	in.bits &= 1<<in.count - 1
	for in.count <= 56 {
		if in.start == len(in.buf) && !in.read() {
			return
		}
		in.bits |= uint64(in.buf[in.start]) << in.count
		in.start++
		in.count += 8
		in.at += 8
	}
}

// read brings more bytes into buf, which is empty.
func (in *input) read() bool {
	for in.err == nil {
		n, err := in.r.Read(in.buf[:cap(in.buf)])
		in.buf, in.start, in.err = in.buf[:n], 0, err
		if n > 0 {
			return true
		}
	}
	in.buf, in.start = in.buf[:0], 0
	return false
}

// take is the next n bits, at most 32.
func (in *input) take(n uint) (uint64, error) {
	if in.count < n {
		if in.refill(); in.count < n {
			return 0, in.ended()
		}
	}
	v := in.bits & (1<<n - 1)
	in.drop(n)
	return v, nil
}

func (in *input) drop(n uint) {
	in.bits >>= n
	in.count -= n
}

// align goes on to the next whole byte.
func (in *input) align() { in.drop(in.count & 7) }

// copy moves bytes of the stream, which is at a whole byte, to p.
func (in *input) copy(p []byte) (int, error) {
	n := 0
	for ; n < len(p) && in.count >= 8; n++ {
		p[n] = byte(in.bits)
		in.drop(8)
	}
	if n > 0 {
		return n, nil
	}
	in.bits = 0 // what is above count comes again
	if in.start == len(in.buf) && !in.read() {
		return 0, in.ended()
	}
	n = copy(p, in.buf[in.start:])
	in.start += n
	in.at += int64(n) * 8
	return n, nil
}

// ended is why there are no more bits.
func (in *input) ended() error {
	if in.err == nil || errors.Is(in.err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return in.err
}
