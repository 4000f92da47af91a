package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/pflag"

	"github.com/zsyncfs/zsyncfs/cmd/internal/bytesize"
	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/packing"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

const helpText = `Usage: zsyncmake [OPTION]... [FILE]...
Make the control file of each FILE, in the current directory as NAME.zsync.
With no FILE, or -, read standard input and write to standard output.

  -b, --block-size=SIZE       bytes in a block: a power of two, 512 to 16M
                              (default: 2048, from 100 million bytes on 4096)
  -f, --filename=NAME         name of the target; the control file is NAME.zsync
  -o, --output=PATH           write the control file to PATH; - is standard output
  -u, --url=URL               where the target will be, relative to the control
                              file or absolute; can be repeated (default: FILE as
                              typed); with several FILEs: ends in /, names are added
  -U, --uncompressed-url=URL  where the uncompressed content will be; can be repeated
  -s, --strong=ALGORITHM      strong checksum: MD4 (default), MD5, SHA-224; zsync
                              0.6.2 knows MD4 only
  -e, --exact                 the client must get the very bytes of FILE
  -C, --no-recompress         a client need not compress what it has received
  -Z, --as-is                 describe a gzip FILE as the bytes that it is, not what
                              is inside
  -z, --compress              compress FILE to FILE.gz, of which clients fetch parts
      --restart=SIZE          with -z: input after which compression starts afresh
                              (32K to 16M; default: 128K to 512K)
      --compat=0.6.2          write byte for byte what zsyncmake 0.6.2 writes
  -v, --verbose               say what is done
  -V, --version               print the version
  -h, --help                  print this

Exit codes: 0 success, 2 failure, 128 and its number when a signal ended it.
`

// options are a command line that makes sense.
type options struct {
	blockSize bytesize.Size
	// filename and output are "" when not given.
	filename, output string
	// urls and plainURLs are those of -u and -U.
	urls, plainURLs []string
	strong          checksum.Strong
	// compat: write what 0.6.2 writes.
	compat bool
	// exact, noRecompress, asIs and compress are -e, -C, -Z and -z.
	exact, noRecompress, asIs, compress bool
	restart                             bytesize.Size

	verbose, version, help bool
	// files are as typed; "-" for standard input. At least one.
	files []string
	// named: the files were, standard input is not just what is left.
	named bool
}

// given are the values that need a look before they are options.
type given struct {
	filenames, outputs []string
	strong, compat     string
}

func newFlags(o *options, g *given) *pflag.FlagSet {
	f := pflag.NewFlagSet("zsyncmake", pflag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints
	f.Usage = func() {}
	f.VarP(&o.blockSize, "block-size", "b", "")
	f.StringArrayVarP(&g.filenames, "filename", "f", nil, "")
	f.StringArrayVarP(&g.outputs, "output", "o", nil, "")
	f.StringArrayVarP(&o.urls, "url", "u", nil, "")
	f.StringArrayVarP(&o.plainURLs, "uncompressed-url", "U", nil, "")
	f.StringVarP(&g.strong, "strong", "s", "MD4", "")
	f.BoolVarP(&o.exact, "exact", "e", false, "")
	f.BoolVarP(&o.noRecompress, "no-recompress", "C", false, "")
	f.BoolVarP(&o.asIs, "as-is", "Z", false, "")
	f.BoolVarP(&o.compress, "compress", "z", false, "")
	f.Var(&o.restart, "restart", "")
	f.StringVar(&g.compat, "compat", "", "")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "")
	f.BoolVarP(&o.version, "version", "V", false, "")
	f.BoolVarP(&o.help, "help", "h", false, "")
	return f
}

// parse reads the command line. Errors are the user's.
func parse(args []string) (*options, error) {
	var o options
	var g given
	flags := newFlags(&o, &g)
	if err := flags.Parse(args); err != nil {
		return nil, report.WithHint(err, "%s", report.FlagHint("zsyncmake", flags, err))
	}
	o.files, o.named = flags.Args(), flags.NArg() > 0
	if !o.named {
		o.files = []string{"-"}
	}
	if o.help || o.version {
		return &o, nil
	}
	for _, check := range []func(given) error{o.takeNames, o.takeStrong, o.takeBlockSize, o.takeURLs, o.takeCompress} {
		if err := check(g); err != nil {
			return nil, err
		}
	}
	return &o, nil
}

// takeNames takes -f and -o.
func (o *options) takeNames(g given) error {
	for _, one := range []struct {
		option string
		values []string
		to     *string
	}{{"-f", g.filenames, &o.filename}, {"-o", g.outputs, &o.output}} {
		switch {
		case len(one.values) == 0:
			continue
		case len(one.values) > 1:
			return usageErrorf("%s is given more than once", one.option)
		case one.values[0] == "":
			return usageErrorf("%s has an empty value", one.option)
		case len(o.files) > 1:
			return report.WithHint(fmt.Errorf("%s is for one FILE, and here are %d", one.option, len(o.files)),
				"leave it out to get NAME.zsync for each, or run zsyncmake for each")
		}
		*one.to = one.values[0]
	}
	if !making.Carriable(o.filename) {
		return usageErrorf("the name %q has a control character or a space at its end", o.filename)
	}
	return nil
}

// takeStrong takes -s and --compat.
func (o *options) takeStrong(g given) error {
	strong, ok := checksum.ParseStrong(strings.ToUpper(g.strong))
	if !ok {
		return usageErrorf("%q is not a strong checksum: MD4, MD5 or SHA-224", g.strong)
	}
	o.strong = strong
	switch g.compat {
	case "":
	case "0.6.2":
		o.compat = true
	default:
		return report.WithHint(fmt.Errorf("--compat=%s is not known", g.compat), "0.6.2 is the one version there is")
	}
	if o.compat && strong != checksum.MD4 {
		return usageErrorf("zsync 0.6.2 knows no %v: -s and --compat=0.6.2 do not go together", strong)
	}
	return nil
}

func (o *options) takeBlockSize(given) error { return o.blockSize.CheckBlock() }

// takeCompress checks what goes with -z.
func (o *options) takeCompress(given) error {
	switch {
	case o.compress && o.asIs:
		return usageErrorf("-z and -Z contradict each other: compress, and do not look inside")
	case o.restart != 0 && !o.compress:
		return usageErrorf("--restart is for -z")
	case o.restart != 0 && (o.restart < packing.MinRestart || o.restart > packing.MaxRestart):
		return usageErrorf("--restart is not between 32K and 16M")
	}
	if !o.compress {
		return nil
	}
	for _, file := range o.files {
		for _, other := range o.files {
			if outputKey(runtime.GOOS, o.packedFile(file)) == outputKey(runtime.GOOS, other) {
				return usageErrorf("%s would be written, and is to be read", other)
			}
		}
	}
	return nil
}

// takeURLs checks -u and -U, and makes them valid.
func (o *options) takeURLs(given) error {
	for _, list := range [][]string{o.urls, o.plainURLs} {
		for i, u := range list {
			if u == "" || !making.Carriable(u) {
				return usageErrorf("the URL %q is empty, or has a control character or a space at its end", u)
			}
			if len(o.files) > 1 && !strings.HasSuffix(u, "/") {
				return report.WithHint(fmt.Errorf("the URL %s would be the same for several files", u),
					"end it with / to have the name of each file added")
			}
			if !o.compat {
				list[i] = validURL(u)
			}
		}
	}
	return nil
}
