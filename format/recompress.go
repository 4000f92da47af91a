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

// RecompressOptions are the options that the text of a header "Recompress" stands
// for; false when it is none that may be used.
func RecompressOptions(text string) ([]string, bool) {
	text = strings.TrimSpace(strings.TrimSuffix(text, "--no-name"))
	o, ok := recompressOptions[text]
	return o, ok
}

// ParseRecompress reads the header of that name. Errors: options that no control
// file may ask for, a gzip header that is none.
func ParseRecompress(value string) (*Recompress, error) {
	digits, text, _ := strings.Cut(value, " ")
	options, ok := RecompressOptions(text)
	if !ok {
		return nil, fmt.Errorf("the options %s are none that may be used", quote(text))
	}
	header, err := hex.DecodeString(digits)
	if err != nil || len(header) < minGzipHeader || !bytes.HasPrefix(header, []byte{0x1f, 0x8b, 8}) {
		return nil, fmt.Errorf("%s is no header of a gzip file", quote(digits))
	}
	return &Recompress{Header: header, Options: options}, nil
}

// GzipLength is the length of the gzip file that m maps, if there is only one
// member in it.
func (m *ZMap) GzipLength() int64 { return m.Size() + 8 }
