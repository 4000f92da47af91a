package format

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// Recompress says how to make the published gzip file of its content: with gzip(1).
type Recompress struct {
	// Header replaces that of what gzip writes.
	Header []byte
	// Options of gzip beside -n, in the words of its current versions.
	Options []string
}

// recompressOptions are those that control files may ask for, as written there.
var recompressOptions = map[string][]string{
	"":               {},
	"--best":         {"--best"},
	"--rsync":        {"--rsyncable"},
	"--rsync --best": {"--rsyncable", "--best"},
}

// ParseRecompress reads the header of that name. Errors: options that no control
// file may ask for, a gzip header that is none.
func ParseRecompress(value string) (*Recompress, error) {
	digits, text, _ := strings.Cut(value, " ")
	options, ok := recompressOptions[strings.TrimSpace(strings.TrimSuffix(text, "--no-name"))]
	if !ok {
		return nil, fmt.Errorf("the options %s are none that may be used", quote(text))
	}
	header, err := hex.DecodeString(digits)
	if err != nil || len(header) < minGzipHeader || !bytes.HasPrefix(header, []byte{0x1f, 0x8b, 8}) {
		return nil, fmt.Errorf("%s is no header of a gzip file", quote(digits))
	}
	return &Recompress{Header: header, Options: options}, nil
}

// FormatRecompress is the value of the header "Recompress": h's header, to be put before what
// gzip(1) makes with these options ("" or "--best", for example). Without a name
// in h it has the option --no-name, by which zsync 0.6.2 tells.
func FormatRecompress(h *GzipHeader, options string) string {
	value := hex.EncodeToString(h.Raw)
	if options != "" {
		value += " " + options
	}
	if !h.Named {
		value += " --no-name"
	}
	return value
}
