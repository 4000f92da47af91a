package format

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxDigestSize is the length in bytes of the longest strong checksum.
const maxDigestSize = 28

// Lengths are the three numbers of "Hash-Lengths".
type Lengths struct {
	// SeqMatches is how many blocks in a row must match before a match counts: 1 or 2.
	SeqMatches int
	// Rsum and Strong are how many bytes of each checksum a record keeps.
	Rsum, Strong int
}

func (l Lengths) String() string {
	return fmt.Sprintf("%d,%d,%d", l.SeqMatches, l.Rsum, l.Strong)
}

// check holds l against its bounds, for a strong checksum of digestSize bytes.
func (l Lengths) check(digestSize int) error {
	switch {
	case l.Rsum == 8:
		return fmt.Errorf("%v asks for an rsum of 8 bytes, as ownCloud's variant of zsync has it; that is another rsum and not supported", l)
	case l.SeqMatches < MinSeqMatches || l.SeqMatches > MaxSeqMatches:
		return fmt.Errorf("%v: the first number must be %d to %d", l, MinSeqMatches, MaxSeqMatches)
	case l.Rsum < MinRsumLength || l.Rsum > MaxRsumLength:
		return fmt.Errorf("%v: the second number must be %d to %d", l, MinRsumLength, MaxRsumLength)
	case l.Strong < MinStrongLength || l.Strong > digestSize:
		return fmt.Errorf("%v: the third number must be %d to %d", l, MinStrongLength, digestSize)
	}
	return nil
}

// finish checks what can only be known when all headers were read.
func (hr *headerReader) finish() error {
	h := hr.h
	for _, name := range []string{"zsync", "Blocksize", "Length"} {
		if _, ok := hr.seen[name]; !ok {
			return hr.missing(name)
		}
	}
	if _, ok := hr.seen["Hash-Lengths"]; !ok {
		h.SeqMatches, h.RsumLength, h.StrongLength = 1, 4, 16
	}
	if err := h.Lengths().check(h.Strong.Size()); err != nil {
		return &ParseError{Header: "Hash-Lengths", Err: fmt.Errorf("%w for %v", err, h.Strong)}
	}
	if len(h.FileHashes) == 0 {
		hr.warn("the control file has no digest by which the whole target could be verified")
	}
	for _, f := range h.unsafe() {
		hr.warn("the header %s is not known and not listed in Safe", quote(f.Name))
	}
	return nil
}

// missing is the error for a required header that is absent.
func (hr *headerReader) missing(name string) error {
	err := errors.New("missing")
	for _, f := range hr.h.Unknown {
		if strings.EqualFold(f.Name, name) {
			err = fmt.Errorf("missing (there is %q, but the names of headers are case-sensitive)", f.Name)
		}
	}
	return &ParseError{Header: name, Err: err}
}

// unsafe are the unknown headers that are not listed in Safe.
func (h *Header) unsafe() []Field {
	var list []Field
	for _, f := range h.Unknown {
		if !slices.Contains(h.Safe, f.Name) {
			list = append(list, f)
		}
	}
	return list
}

// RefuseUnknown is the strict reading of unknown headers: nil, or a *ParseError
// that names the first one which Safe does not list. ReadHeader only warns of
// them.
func (h *Header) RefuseUnknown() error {
	if list := h.unsafe(); len(list) > 0 {
		return &ParseError{Header: list[0].Name, Err: errors.New("not known, and not listed in Safe")}
	}
	return nil
}

// CheckControlSize says whether a control file of size bytes in all can hold
// h's header and all of its records: nil, or a *ParseError. Bytes after the
// last record are no fault.
func (h *Header) CheckControlSize(size int64) error {
	if size < h.ControlLength() {
		return &ParseError{Err: fmt.Errorf("it has %d bytes, but its header and the records of %d blocks take up %d",
			size, h.Geometry().BlockCount(), h.ControlLength())}
	}
	return nil
}

// Lengths are h's SeqMatches, RsumLength and StrongLength.
func (h *Header) Lengths() Lengths {
	return Lengths{SeqMatches: h.SeqMatches, Rsum: h.RsumLength, Strong: h.StrongLength}
}

// usable says whether the numbers of h are within their bounds, as they are
// after ReadHeader; the zero Header's are not.
func (h *Header) usable() bool {
	return h.Geometry().Validate() == nil && h.Strong.Valid() &&
		h.Lengths().check(h.Strong.Size()) == nil
}
