package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zsyncfs/zsyncfs/cmd/internal/bytesize"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/fileserver"
)

// shutdownGrace is how long "serve" waits for requests under way when it ends.
const shutdownGrace = 3 * time.Second

// serveFlags are the flags of "serve".
type serveFlags struct {
	listen     string
	controlDir string
	accessLog  string
	log        bool
	user       string
	blockSize  bytesize.Size
	jobs       int
}

func newServeCommand() *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Annotations: map[string]string{ownSettings: ""}, // its --user is another one
		Use:         "serve DIR",
		Short:       "Serve a directory over HTTP, with control files made on demand",
		Long: `Serve a directory over HTTP for zsyncfs and zsync clients: range requests,
listings as HTML or JSON, and for every regular file NAME its control file
NAME.zsync. One that is on disk is served as it is; otherwise it is made when it
is first asked for, and again when the file has changed. Names that start with a
dot are hidden; symbolic links are followed inside DIR only.

The first line on standard output says where it listens. It ends on SIGINT or
SIGTERM.`,
		Example: `  zsyncfs serve /srv/images
  zsyncfs serve . --listen 127.0.0.1:0 --access-log access.log`,
		Args: wantArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return serve(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0], flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to listen on; port 0 takes a free one")
	f.StringVar(&flags.controlDir, "control-dir", "", "`DIR` that keeps control files made on demand\n(default: zsyncfs/controls in the user's cache directory)")
	f.StringVar(&flags.accessLog, "access-log", "", "append a line for each request to `FILE`, in combined log format")
	f.BoolVar(&flags.log, "log", false, "print a line for each request on standard error")
	f.StringVar(&flags.user, "user", "", "ask clients for `USER:PASSWORD` (basic authentication)")
	f.VarP(&flags.blockSize, "block-size", "b", "block `SIZE` of control files made on demand, as in \"make\"")
	f.IntVarP(&flags.jobs, "jobs", "j", 0, "make `N` control files at a time (default: the CPUs, at most 4)")
	return cmd
}

func serve(ctx context.Context, stdout, stderr io.Writer, dir string, flags serveFlags) error {
	o, err := flags.options(dir, stderr)
	if err != nil {
		return err
	}
	if flags.accessLog != "" {
		f, err := os.OpenFile(flags.accessLog, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return fmt.Errorf("open the access log: %w", err)
		}
		defer f.Close()
		o.AccessLog = both(o.AccessLog, f)
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = withHint(usageErrorf("%s is not a directory", dir), "serve the directory that holds the file")
	}
	if err != nil {
		return err
	}
	server, err := fileserver.New(o)
	if err != nil {
		return fmt.Errorf("serve %s: %w", dir, err)
	}
	defer server.Close()
	if _, _, err := net.SplitHostPort(flags.listen); err != nil {
		return withHint(usageErrorf("bad address for --listen: %w", err), "an ADDRESS is HOST:PORT, such as 127.0.0.1:8080; :8080 listens on all of this machine's")
	}
	listener, err := net.Listen("tcp", flags.listen)
	if err != nil {
		err = withCode(exitFailure, fmt.Errorf("listen on %s: %w", flags.listen, err))
		return withHint(err, "choose another address with --listen; port 0 takes a free one")
	}
	fmt.Fprintf(stdout, "serving %s at %s\n", printable(dir), listenURL(listener.Addr()))
	return serveUntil(ctx, server, listener)
}

// serveUntil serves until ctx ends, which is no error.
func serveUntil(ctx context.Context, server *fileserver.Server, listener net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // Close ends what is left
	}
	return errors.Join(err, <-ended)
}

// options are the server's options for these flags.
func (flags serveFlags) options(dir string, stderr io.Writer) (fileserver.Options, error) {
	o := fileserver.Options{
		Dir:        dir,
		ControlDir: flags.controlDir,
		BlockSize:  int64(flags.blockSize),
		Jobs:       flags.jobs,
		Warn: func(err error) {
			fmt.Fprintf(stderr, "zsyncfs: warning: %s\n", printable(err.Error()))
		},
	}
	if err := withCode(exitUsage, flags.blockSize.CheckBlock()); err != nil {
		return o, err
	}
	if o.Jobs < 0 {
		return o, usageErrorf("serve: --jobs must not be negative")
	}
	if flags.user != "" {
		var found bool
		if o.User, o.Password, found = strings.Cut(flags.user, ":"); !found || o.User == "" {
			return o, usageErrorf("serve: --user must have the form USER:PASSWORD")
		}
	}
	if flags.log {
		o.AccessLog = stderr
	}
	if o.ControlDir == "" {
		cache, err := daemon.DefaultStore()
		if err != nil {
			return o, withHint(fmt.Errorf("find the cache directory: %w", err), "name one with --control-dir")
		}
		o.ControlDir = filepath.Join(cache, "controls")
	}
	return o, nil
}

// both writes to a and b; a may be nil.
func both(a, b io.Writer) io.Writer {
	if a == nil {
		return b
	}
	return io.MultiWriter(a, b)
}

// listenURL is a URL by which a client on this machine reaches addr.
func listenURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String() + "/"
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}
