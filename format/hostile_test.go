package format

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// refused are the hostile control files that ReadHeader must refuse, with the
// header that the error names; "-" stands for a fault that lies in no header.
var refused = map[string]string{
	"binary":                      "-",
	"blocksize-1":                 "Blocksize",
	"blocksize-1GiB":              "Blocksize",
	"blocksize-2047":              "Blocksize",
	"blocksize-2e63":              "Blocksize",
	"blocksize-3":                 "Blocksize",
	"blocksize-empty":             "Blocksize",
	"bom":                         "-",
	"dup-blocksize-conflict":      "Blocksize",
	"dup-sha1-conflict":           "SHA-1",
	"filehash-empty":              "File-Hash",
	"filename-newline":            "-",
	"hashlengths-1_-1_16":         "Hash-Lengths",
	"hashlengths-1_0_16":          "Hash-Lengths",
	"hashlengths-1_4_-1":          "Hash-Lengths",
	"hashlengths-1_4_1":           "Hash-Lengths",
	"hashlengths-1_4_16_1":        "Hash-Lengths",
	"hashlengths-1_4_99999999999": "Hash-Lengths",
	"hashlengths-1s4s16":          "Hash-Lengths",
	"hashlengths-3_4_16":          "Hash-Lengths",
	"hashlengths-empty":           "Hash-Lengths",
	"header-lowercase":            "Blocksize",
	"header-nul":                  "-",
	"html":                        "-",
	"length-1e19":                 "Length",
	"length-2e62":                 "Length",
	"length-2e63m1":               "Length",
	"length-empty":                "Length",
	"length-lead-space":           "Length",
	"length-plus":                 "Length",
	"length-suffix":               "Length",
	"length-word":                 "Length",
	"missing-length":              "Length",
	"no-blank-line":               "-",
	"sha1-39":                     "SHA-1",
	"stronghash-unknown":          "Strong-Hash-Algorithm",
	"zmap-2e31":                   "Z-Map2",
	"zmap-count-high":             "Z-Map2",
}

// wrong are those whose header can be read, but which the check named refuses:
// "size" CheckControlSize, "blocks" VerifyBlocks, "file" FileVerifier.
var wrong = map[string]string{
	"sums-none":              "size",
	"sums-truncated-1":       "size",
	"sums-zero":              "blocks",
	"length-1-longer":        "file",
	"length-fewer-blocks":    "blocks", // the last, shorter one
	"sha1-wrong":             "file",
	"filehash-wrong":         "file",
	"filehash-both-conflict": "file",
	"filehash-unknown":       "file",
}

// targets are the cases whose target is not t.dat.
var targets = map[string]string{"length-0": "", "one-byte": "one", "exact-multiple": "exact"}

func TestHostile(t *testing.T) {
	files, err := filepath.Glob("testdata/hostile/*.zsync")
	if err != nil || len(files) != 105 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".zsync")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			h, err := read(data)
			if header, ok := refused[name]; ok {
				var parse *ParseError
				if !errors.As(err, &parse) {
					t.Fatalf("got %v, want a ParseError", err)
				}
				if parse.Header != strings.Trim(header, "-") {
					t.Errorf("names the header %q: %v", parse.Header, err)
				}
				checkPlain(t, err.Error())
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range h.Warnings {
				checkPlain(t, w)
			}
			if got := judge(t, h, data, name); got != wrong[name] {
				t.Errorf("refused by %q, want %q", got, wrong[name])
			}
		})
	}
}

// judge is the first check behind the header that the case fails.
func judge(t *testing.T, h *Header, data []byte, name string) string {
	if h.CheckControlSize(int64(len(data))) != nil {
		return "size"
	}
	target := []byte{}
	from, other := targets[name]
	if !other {
		from = "t.dat"
	}
	if from != "" {
		var err error
		if target, err = os.ReadFile(filepath.Join("testdata", "targets", from)); err != nil {
			t.Fatal(err)
		}
	}
	// A server's target can be longer or shorter than Length says; a zero more
	// is what the padding of the last block hides from its checksum.
	target = append(bytes.Clone(target), 0)
	target = target[:min(int(h.Length), len(target))]
	if got := h.VerifyBlocks(0, target, data[h.Size:]); int64(got) != h.Geometry().BlockCount() {
		return "blocks"
	}
	v := h.NewFileVerifier()
	v.Write(target)
	if v.Check() != nil {
		return "file"
	}
	return ""
}
