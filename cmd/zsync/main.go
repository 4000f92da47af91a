// Command zsync downloads a file over HTTP and HTTPS, and of it only what no
// local file has. It takes the same options as zsync 0.6.2, leaves the same files
// behind and ends with the same exit codes, and knows the options of AppImage's
// zsync2 as well.
//
//	zsync [-u URL] [-i SEED]... [-o FILE] [-q] [-k FILE] [-A HOST=USER:PASSWORD]... {CONTROLFILE | URL}
//
// The control file (the ".zsync" file) describes the target and is given as a
// URL or as a local path. The target is made in the current directory: blocks
// come from NAME.part (what an interrupted run left), from the seeds, from the
// file NAME itself if it is there, and the rest from the URLs of the control
// file. NAME is replaced at the very end, when the whole file was verified; the
// old one is then NAME.zs-old.
//
// # Differences from zsync 0.6.2
//
//   - HTTPS works. Certificates are checked unless --no-check-certificate is given.
//   - A NAME that is the target already is left as it is, without a .zs-old;
//     --force-update makes it anew.
//   - The new file has the permissions of the old one, or those that the umask
//     gives, instead of 0600, and is a program if the first seed is one.
//   - The time of change is right in every time zone.
//   - When a block of a seed matched by chance, it is fetched after all, where
//     0.6.2 gives up.
//   - A URL that sends wrong data, too little, or no ranges at all is left for
//     the next one, where 0.6.2 goes on for ever.
//   - Progress goes to standard error, and only there are control characters,
//     and only if it is a terminal.
//   - Files that cannot be made end with 2 whatever the reason (0.6.2: 1 for a
//     folder that is not there, 255 for a full disk), wrong usage with 3.
//   - -k does not replace what is no control file.
//   - -V prints this project's version.
//   - Where there are a gzip copy (Z-URL) and the file itself (URL), each block comes
//     from the one that takes fewer bytes; 0.6.2 uses the copy only.
//   - A published .gz that is made again (Recompress) is checked by the control file's
//     map. Where another file comes of it, or there is no gzip(1), its content is
//     delivered under the name in Filename, with a warning and exit code 0.
//   - Addresses in private ranges are refused when the control file of a host
//     leads to another one there, unless --allow-private is given.
package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/zsyncfs/zsyncfs/cmd/internal/commandline"
	"github.com/zsyncfs/zsyncfs/cmd/internal/cpuprofile"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
)

// version is stamped by the linker (-X main.version=...) in builds of
// scripts/build.
var version = ""

func main() {
	os.Exit(run(commandline.Take("-A", "--auth", "--header"), os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, caught := signals.Catch(context.Background())
	defer caught.Close()
	defer cpuprofile.Start(stderr)()
	err := zsync(ctx, args, stdout, stderr)
	if errors.Is(err, errChanged) {
		return int(exitControl) // an answer, which was printed, and no fault
	}
	return program.Report(stderr, signals.Explain(ctx, err))
}
