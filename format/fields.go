package format

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// field is how one header is read.
type field struct {
	// repeats: the header may stand several times with different values.
	repeats bool
	// raw: bytes that are no lines follow the header; parse reads them.
	raw   bool
	parse func(hr *headerReader, value string) error
}

// fields are the headers that this package knows. Names are case-sensitive.
var fields map[string]field

func init() {
	fields = map[string]field{
		"zsync":                 {parse: parseWriter},
		"zsync2":                {parse: parseZsync2},
		"Filename":              text(func(h *Header) *string { return &h.Filename }),
		"Z-Filename":            text(func(h *Header) *string { return &h.ZFilename }),
		"Recompress":            text(func(h *Header) *string { return &h.Recompress }),
		"Min-Version":           {parse: parseMinVersion},
		"MTime":                 {repeats: true, parse: parseMTimeField},
		"Blocksize":             {parse: parseBlockSize},
		"Length":                {parse: parseLength},
		"Hash-Lengths":          {parse: parseHashLengths},
		"Strong-Hash-Algorithm": {parse: parseStrong},
		"SHA-1":                 {repeats: true, parse: parseSHA1},
		"File-Hash":             {repeats: true, parse: parseFileHash},
		"URL":                   {repeats: true, parse: parseURL(func(h *Header) *[]string { return &h.URLs })},
		"Z-URL":                 {repeats: true, parse: parseURL(func(h *Header) *[]string { return &h.ZURLs })},
		"Safe":                  {repeats: true, parse: parseSafe},
		"Z-Map2":                {raw: true, parse: parseZMap},
	}
}

// text is a field whose value is kept as it is.
func text(dst func(*Header) *string) field {
	return field{parse: func(hr *headerReader, value string) error {
		*dst(hr.h) = value
		return nil
	}}
}

// parseNumber reads a decimal number in [0, most]: digits only, no sign.
func parseNumber(s string, most int64) (int64, error) {
	if s == "" {
		return 0, errors.New("no number")
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%s is not a number", quote(s))
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > most {
		return 0, fmt.Errorf("%s is too large (at most %d)", quote(s), most)
	}
	return n, nil
}

func parseWriter(hr *headerReader, value string) error {
	if value == "0.0.4" {
		return errors.New("control files of zsync 0.0.4 have another format, which nobody reads any more")
	}
	hr.h.Writer = value
	return nil
}

func parseZsync2(*headerReader, string) error {
	return errors.New("this is a control file of the zsync2 proposal, which is another format and not supported")
}

// parseMinVersion keeps the value. Nothing was ever added to the format that an
// older reader would take wrongly, and block and file digests would tell if it
// had been, so a newer version is worth a warning and no more.
func parseMinVersion(hr *headerReader, value string) error {
	hr.h.MinVersion = value
	if newerVersion(value, [2]int{0, 8}) {
		hr.warn("the control file asks for zsync %s or newer", quote(value))
	}
	return nil
}

// newerVersion says whether the dotted version s is above than; false when s
// cannot be read.
func newerVersion(s string, than [2]int) bool {
	parts := strings.SplitN(s, ".", 3)
	for i, limit := range than {
		n := 0
		if i < len(parts) {
			var err error
			if n, err = strconv.Atoi(parts[i]); err != nil {
				return false
			}
		}
		if n != limit {
			return n > limit
		}
	}
	return false
}

func parseMTimeField(hr *headerReader, value string) error {
	t, err := ParseMTime(value)
	switch {
	case err != nil:
		hr.warn("header MTime: %v", err)
	case hr.h.MTime.IsZero():
		hr.h.MTime = t
	case !hr.h.MTime.Equal(t):
		hr.warn("header MTime: given twice, the second, %s, is ignored", quote(value))
	}
	return nil
}

func parseBlockSize(hr *headerReader, value string) error {
	n, err := parseNumber(value, MaxBlockSize)
	if err != nil {
		return err
	}
	if err := checkBlockSize(n); err != nil {
		return err
	}
	hr.h.BlockSize = n
	return nil
}

func checkBlockSize(n int64) error {
	if n < MinBlockSize || n > MaxBlockSize || n&(n-1) != 0 {
		return fmt.Errorf("%d is not a power of two between %d and %d", n, MinBlockSize, MaxBlockSize)
	}
	return nil
}

func parseLength(hr *headerReader, value string) error {
	n, err := parseNumber(value, MaxLength)
	if err != nil {
		return err
	}
	hr.h.Length = n
	return nil
}

func parseHashLengths(hr *headerReader, value string) error {
	parts := strings.Split(value, ",")
	if len(parts) != 3 {
		return fmt.Errorf("%s is not three numbers with commas between them", quote(value))
	}
	var n [3]int
	for i, part := range parts {
		v, err := parseNumber(part, 1<<16)
		if err != nil {
			return fmt.Errorf("in %s: %w", quote(value), err)
		}
		n[i] = int(v)
	}
	l := Lengths{SeqMatches: n[0], Rsum: n[1], Strong: n[2]}
	if err := l.check(maxDigestSize); err != nil {
		return err
	}
	hr.h.SeqMatches, hr.h.RsumLength, hr.h.StrongLength = l.SeqMatches, l.Rsum, l.Strong
	return nil
}

func parseStrong(hr *headerReader, value string) error {
	strong, ok := checksum.ParseStrong(value)
	if !ok {
		return fmt.Errorf("the algorithm %s is not known (MD4, MD5 and SHA-224 are)", quote(value))
	}
	hr.h.Strong = strong
	return nil
}

func parseSHA1(hr *headerReader, value string) error {
	return hr.fileHash("SHA-1", value)
}

func parseFileHash(hr *headerReader, value string) error {
	algorithm, digest, found := strings.Cut(value, ":")
	if !found || algorithm == "" || digest == "" {
		return fmt.Errorf("%s is not an algorithm and a digest with a colon between them", quote(value))
	}
	for _, known := range fileHashAlgorithms {
		if strings.EqualFold(algorithm, known.name) {
			return hr.fileHash(known.name, digest)
		}
	}
	hr.warn("header File-Hash: the algorithm %s is not known, so this digest cannot be checked", quote(algorithm))
	return nil
}

// fileHash adds a digest in hexadecimal of the whole target.
func (hr *headerReader) fileHash(algorithm, digits string) error {
	if want := 2 * fileHashSize(algorithm); len(digits) != want {
		return fmt.Errorf("%s has %d digits, a digest of %s has %d", quote(digits), len(digits), algorithm, want)
	}
	digest, err := hex.DecodeString(digits)
	if err != nil {
		return fmt.Errorf("%s is not a hexadecimal digest", quote(digits))
	}
	for _, other := range hr.h.FileHashes {
		if other.Algorithm != algorithm {
			continue
		}
		if string(other.Digest) == string(digest) {
			return nil
		}
		return fmt.Errorf("two different digests of algorithm %s", algorithm)
	}
	hr.h.FileHashes = append(hr.h.FileHashes, FileHash{Algorithm: algorithm, Digest: digest})
	return nil
}

func parseURL(dst func(*Header) *[]string) func(*headerReader, string) error {
	return func(hr *headerReader, value string) error {
		if value == "" {
			hr.warn("an empty URL is ignored")
			return nil
		}
		if len(hr.h.URLs)+len(hr.h.ZURLs) >= MaxURLs {
			return fmt.Errorf("more than %d URLs", MaxURLs)
		}
		list := dst(hr.h)
		*list = append(*list, value)
		return nil
	}
}

// parseSafe splits on spaces and commas, as the two families of writers
// separate the names; zsync 0.6.2 also writes a name with a colon behind it.
func parseSafe(hr *headerReader, value string) error {
	for _, name := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' }) {
		if name = strings.TrimRight(name, ":"); name != "" {
			hr.h.Safe = append(hr.h.Safe, name)
		}
	}
	return nil
}
