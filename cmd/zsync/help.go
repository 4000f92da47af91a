package main

const usageLine = "Usage: zsync [OPTION]... {CONTROLFILE | URL}"

const helpText = usageLine + `

Downloads the file that a control file (.zsync) describes into the current
folder, and of it only what no local file has. Blocks come from NAME.part, which
an interrupted run left, from the seeds given with -i, and from the file NAME
itself; the rest comes from the URLs in the control file. NAME is replaced when
the whole file was verified; the old one is then NAME.zs-old.

Where blocks come from, and where the file goes:
  -i, --seed-file FILE      look for blocks in FILE, too; may be repeated
  -o, --output FILE         make FILE, not what the control file names
  -u, --url URL             URL that a local control file came from: the URLs in it
                            are relative to that
      --mirror URL          URL of the file, or of a folder that has it (ending in
                            "/"), tried after all others; may be repeated
  -k, --copy-zsync-file-to FILE
                            keep the control file as FILE, and fetch it again only
                            when the one on the server is newer

Servers:
  -A, --auth HOST=USER:PASSWORD
                            login for HOST; may be repeated. HOST may have a scheme
                            and a port, as in https://example.com:8443; without
                            them it is the control file's, or the usual one
      --netrc FILE          logins by host (default: $NETRC, or ~/.netrc)
      --header "NAME: VALUE"
                            header to send to the control file's server and to
                            those of -A, not to mirrors; may be repeated
      --cacert FILE         certificates of more authorities to trust (PEM)
  -I, --no-check-certificate, --insecure
                            do not check the servers' certificates
      --allow-private       let control files and redirects lead to addresses of
                            private networks and of this machine
      --limit-rate RATE     receive at most RATE bytes a second, such as 500K or 2M

What is done:
  -j, --check-for-changes   only say whether the file is up to date
  -n, --dry-run             only say how much would be fetched
  -r, --resolve-redirection only print the URL that the control file is at, after
                            redirects
      --force-update        make the file anew even if it is up to date

What is printed:
  -q, --quiet, -s, --silent nothing but errors
  -v, --verbose             more
      --progress MODE       auto (the default: bar on a terminal, lines elsewhere),
                            bar, lines, json (one object a line, on standard
                            output) or none
  -V, --version             print the version
  -h, --help                print this

Proxies are taken from http_proxy, https_proxy and no_proxy.

Exit codes:
    0  the file is there and verified (-j: it is up to date)
    1  the control file cannot be used (-j: the file is not up to date)
    2  the file could not be made: it cannot be written, blocks of it cannot be
       fetched, or the result is not what the control file describes
    3  wrong usage, or the control file cannot be fetched
  130  interrupted (143: terminated); what was fetched is kept in NAME.part
`
