package format

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// EncodeOptions for Header.Encode. The zero value works.
type EncodeOptions struct {
	// Order are names of headers, in the order wanted. Headers that it does not
	// name follow in the default order: that of zsyncmake 0.6.2, with the
	// headers of 0.7 beside their likes. Unknown headers come after all known
	// ones but Z-Map2, which is always last.
	Order []string
	// SafeSeparator stands between the names in Safe. Default ",", which all
	// readers understand; zsyncmake 0.6.2 writes " ".
	SafeSeparator string
	// SafeColon adds a colon to Safe when there is no Z-Filename, as zsyncmake
	// 0.6.2 does by mistake. Its readers search for the names, and do not mind.
	SafeColon bool
}

// encoders writes each known header: the values of its lines, none when absent.
var encoders = []struct {
	name   string
	values func(h *Header, o EncodeOptions) ([]string, error)
}{
	{"zsync", one(func(h *Header) string { return h.Writer })},
	{"Safe", encodeSafe},
	{"Z-Filename", one(func(h *Header) string { return h.ZFilename })},
	{"Filename", one(func(h *Header) string { return h.Filename })},
	{"MTime", encodeMTime},
	{"Min-Version", one(func(h *Header) string { return h.MinVersion })},
	{"Blocksize", one(func(h *Header) string { return strconv.FormatInt(h.BlockSize, 10) })},
	{"Length", one(func(h *Header) string { return strconv.FormatInt(h.Length, 10) })},
	{"Hash-Lengths", one(func(h *Header) string { return h.Lengths().String() })},
	{"Strong-Hash-Algorithm", encodeStrong},
	{"Z-URL", urls(func(h *Header) []string { return h.ZURLs })},
	{"URL", urls(func(h *Header) []string { return h.URLs })},
	{"SHA-1", encodeFileHash("SHA-1", "")},
	{"File-Hash", encodeFileHash("SHA-256", "SHA-256:")},
	{"Recompress", one(func(h *Header) string { return h.Recompress })},
}

// Encode is the header as a control file has it, with the empty line; the
// records follow it. h.Size and h.Warnings are not looked at. What ReadHeader
// would not read back as it is, is refused: *ParseError, naming the header.
func (h *Header) Encode(o EncodeOptions) ([]byte, error) {
	if err := h.checkNumbers(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	count := 0
	add := func(name, value string) error {
		if err := checkValue(value); err != nil {
			return &ParseError{Header: name, Err: err}
		}
		count++
		out.WriteString(name + ": " + value + "\n")
		return nil
	}
	for _, i := range encodeOrder(o.Order) {
		values, err := encoders[i].values(h, o)
		if err != nil {
			return nil, &ParseError{Header: encoders[i].name, Err: err}
		}
		for _, value := range values {
			if err := add(encoders[i].name, value); err != nil {
				return nil, err
			}
		}
	}
	for _, f := range h.Unknown {
		if err := checkUnknown(f); err != nil {
			return nil, err
		}
		if err := add(f.Name, f.Value); err != nil {
			return nil, err
		}
	}
	mapLine := ""
	if len(h.ZMap) > 0 {
		mapLine = fmt.Sprintf("Z-Map2: %d\n", len(h.ZMap)/zmapEntrySize)
		count++
	}
	if count > MaxHeaders || out.Len()+len(mapLine)+1 > MaxHeaderSize {
		return nil, &ParseError{Err: fmt.Errorf("the header has more than %d lines or %d bytes", MaxHeaders, MaxHeaderSize)}
	}
	out.WriteString(mapLine)
	out.Write(h.ZMap)
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// WriteTo writes the header to w as Encode with no options has it.
func (h *Header) WriteTo(w io.Writer) (int64, error) {
	data, err := h.Encode(EncodeOptions{})
	if err != nil {
		return 0, err
	}
	n, err := w.Write(data)
	return int64(n), err
}

// encodeOrder are the indexes of encoders with those named in order first.
func encodeOrder(order []string) []int {
	var list []int
	add := func(i int) {
		if !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	for _, name := range order {
		for i := range encoders {
			if encoders[i].name == name {
				add(i)
			}
		}
	}
	for i := range encoders {
		add(i)
	}
	return list
}

// checkNumbers holds what is not text against its bounds.
func (h *Header) checkNumbers() error {
	if h.Length < 0 || h.Length > MaxLength {
		return &ParseError{Header: "Length", Err: fmt.Errorf("%d is not between 0 and %d", h.Length, int64(MaxLength))}
	}
	if err := checkBlockSize(h.BlockSize); err != nil {
		return &ParseError{Header: "Blocksize", Err: err}
	}
	if !h.Strong.Valid() {
		return &ParseError{Header: "Strong-Hash-Algorithm", Err: fmt.Errorf("%v is not known", h.Strong)}
	}
	if err := h.Lengths().check(h.Strong.Size()); err != nil {
		return &ParseError{Header: "Hash-Lengths", Err: err}
	}
	if h.Writer == "" || h.Writer == "0.0.4" {
		return &ParseError{Header: "zsync", Err: fmt.Errorf("%q cannot be the version of the writer", h.Writer)}
	}
	if len(h.URLs)+len(h.ZURLs) > MaxURLs {
		return &ParseError{Header: "URL", Err: fmt.Errorf("more than %d URLs", MaxURLs)}
	}
	entries := int64(len(h.ZMap) / zmapEntrySize)
	if len(h.ZMap)%zmapEntrySize != 0 || entries > maxZMapEntries(h.Length) {
		return &ParseError{Header: "Z-Map2", Err: fmt.Errorf("%d bytes are not whole entries, or too many", len(h.ZMap))}
	}
	return h.checkFileHashes()
}

// checkFileHashes refuses digests that no header could carry.
func (h *Header) checkFileHashes() error {
	met := map[string]bool{}
	for _, f := range h.FileHashes {
		size := fileHashSize(f.Algorithm)
		if size == 0 || len(f.Digest) != size || met[f.Algorithm] {
			return &ParseError{Header: "File-Hash", Err: fmt.Errorf("%d bytes of %s: not known, wrong length or twice", len(f.Digest), quote(f.Algorithm))}
		}
		met[f.Algorithm] = true
	}
	return nil
}

// checkValue refuses values that a reader would not give back as they are.
func checkValue(value string) error {
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < 0x20 || c == 0x7f {
			return fmt.Errorf("control character 0x%02x in %s", c, quote(value))
		}
	}
	if strings.HasSuffix(value, " ") {
		return fmt.Errorf("%s ends with a space, which readers drop", quote(value))
	}
	return nil
}

func checkUnknown(f Field) error {
	if err := checkName(f.Name); err != nil {
		return &ParseError{Header: f.Name, Err: err}
	}
	if _, known := fields[f.Name]; known {
		return &ParseError{Header: f.Name, Err: errors.New("listed as unknown, but it is known")}
	}
	return nil
}

// one is the line of a header that stands at most once.
func one(value func(*Header) string) func(*Header, EncodeOptions) ([]string, error) {
	return func(h *Header, _ EncodeOptions) ([]string, error) {
		if v := value(h); v != "" {
			return []string{v}, nil
		}
		return nil, nil
	}
}

func urls(list func(*Header) []string) func(*Header, EncodeOptions) ([]string, error) {
	return func(h *Header, _ EncodeOptions) ([]string, error) {
		if slices.Contains(list(h), "") {
			return nil, errors.New("an empty URL")
		}
		return list(h), nil
	}
}

func encodeSafe(h *Header, o EncodeOptions) ([]string, error) {
	if len(h.Safe) == 0 {
		return nil, nil
	}
	for _, name := range h.Safe {
		if err := checkName(name); err != nil || strings.Contains(name, ",") {
			return nil, fmt.Errorf("%s cannot be the name of a header in Safe", quote(name))
		}
	}
	separator := o.SafeSeparator
	if separator == "" {
		separator = ","
	}
	if strings.Trim(separator, " ,") != "" {
		return nil, fmt.Errorf("the separator %s is not a space or comma", quote(separator))
	}
	value := strings.Join(h.Safe, separator)
	if o.SafeColon && h.ZFilename == "" {
		value += ":"
	}
	return []string{value}, nil
}

func encodeMTime(h *Header, _ EncodeOptions) ([]string, error) {
	if h.MTime.IsZero() {
		return nil, nil
	}
	if year := h.MTime.UTC().Year(); year < 1 || year > 9999 {
		return nil, fmt.Errorf("the year %d cannot be written", year)
	}
	return []string{FormatMTime(h.MTime)}, nil
}

// encodeStrong leaves out MD4, which is what absence means, since zsync 0.6.2
// refuses the header.
func encodeStrong(h *Header, _ EncodeOptions) ([]string, error) {
	if h.Strong == 0 {
		return nil, nil
	}
	return []string{h.Strong.String()}, nil
}

func encodeFileHash(algorithm, prefix string) func(*Header, EncodeOptions) ([]string, error) {
	return func(h *Header, _ EncodeOptions) ([]string, error) {
		for _, f := range h.FileHashes {
			if f.Algorithm == algorithm {
				return []string{prefix + hex.EncodeToString(f.Digest)}, nil
			}
		}
		return nil, nil
	}
}
