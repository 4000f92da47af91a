package main

import (
	"errors"
	"path/filepath"

	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/bytesize"
)

// accessFlags are the flags of every command that reaches a source.
type accessFlags struct {
	user, netrc       string
	header, mirrors   []string
	caCert, cert, key string
	insecure          bool
	allowPrivate      bool
	limitRate         bytesize.Size
}

func (f *accessFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.user, "user", "", "`NAME:PASSWORD` for the source (basic authentication)")
	s.StringVar(&f.netrc, "netrc", "", "netrc `FILE` with credentials by host")
	s.StringArrayVar(&f.header, "header", nil, "`\"NAME: VALUE\"` to send to the source, repeatable")
	s.StringVar(&f.caCert, "cacert", "", "PEM `FILE` of certificate authorities to trust")
	s.StringVar(&f.cert, "cert", "", "PEM `FILE` of the client certificate")
	s.StringVar(&f.key, "key", "", "PEM `FILE` of the client certificate's key")
	s.BoolVar(&f.insecure, "insecure", false, "do not check the server's certificate")
	s.BoolVar(&f.allowPrivate, "allow-private", false, "let control files and redirects lead to private and loopback addresses")
	s.StringArrayVar(&f.mirrors, "mirror", nil, "`URL` of a directory with the same artifacts, tried after their own URLs, repeatable")
	s.Var(&f.limitRate, "limit-rate", "receive at most `RATE` bytes a second, all requests together (such as 500K or 2M)")
}

// access is what the flags say, with absolute paths.
func (f *accessFlags) access() (access.Access, error) {
	a := access.Access{
		User:         f.user,
		Header:       f.header,
		Insecure:     f.insecure,
		AllowPrivate: f.allowPrivate,
		Mirrors:      f.mirrors,
		LimitRate:    int64(f.limitRate),
	}
	var err error
	for _, p := range []struct {
		to   *string
		path string
	}{{&a.Netrc, f.netrc}, {&a.CACert, f.caCert}, {&a.Cert, f.cert}, {&a.Key, f.key}} {
		var perr error
		*p.to, perr = absolute(p.path)
		err = errors.Join(err, perr)
	}
	return a, err
}

// absolute is the absolute form of path; "" stays "".
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}
