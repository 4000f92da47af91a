// Package listing reads the directory listings of HTTP servers: HTML autoindex
// pages (Apache in its three forms, nginx, lighttpd, Caddy, Python's
// http.server, and hand-made pages of links), the JSON of nginx and Caddy, the
// XML of nginx and of S3's ListObjects, and plain index files with one URL in
// each line. It is pure: bytes in, names and URLs out.
//
// # What counts as an entry
//
// The format is chosen by Content-Type; only when that is absent,
// application/octet-stream or text/plain do the first bytes decide. Names come
// from URLs, never from link text, which servers cut short. A link is resolved
// against the final URL of the page, or its <base href>; what remains must have
// the page's own origin and lie exactly one level below its directory. The path
// element is decoded once. A name with "/", NUL or any other control character,
// the names "" "." "..", and names of more than MaxNameLength bytes are left
// out. Bytes that are not UTF-8 are kept, each written as "%XX" in the name
// (the URL keeps the true bytes): so a Latin-1 name of an old server can be
// opened, survives JSON, and cannot upset a terminal.
//
// Files are names that end in exactly ".zsync" with something before it;
// directories are links that end in "/" (or that JSON and XML call so). All
// other names are ignored. A link to a file keeps its query, a link to a
// directory loses it (there it only orders the page), fragments go. User names
// and passwords in links are dropped: the client knows which origin gets them.
//
// # Pages that are no listing
//
// A login page or an empty answer with status 200 must not look like an empty
// directory. For HTML the rule is, in this order:
//
//  1. with at least one control file in the directory, it is a listing;
//  2. with a password field or a form sent by POST, it is none;
//  3. with a link to anything one level below the directory, it is one;
//  4. otherwise it is an empty listing only when it has a mark of one: a title or
//     heading "Index of ..." or "Directory listing for ...", a link that orders
//     the columns ("?C=N;O=D", "?sort=name"), or a relative link "../";
//  5. all else is ErrNotListing.
//
// JSON must be an array (or null, which older Caddy sends for an empty
// directory) of objects that have the fields of nginx or Caddy; XML must have
// the root element ListBucketResult or list.
//
// # Bounds
//
// A page may be hostile. Work grows with its length: what links are relative to is
// looked at once, and URLs are made for new entries only. A page whose URL has more
// than MaxURLLength bytes, or a path of more than 4096 bytes or 256 elements, is
// refused as no listing; a <base href> that has more is ignored; a link of more than
// MaxURLLength bytes is left out. A listing has at most MaxEntries entries, of names
// of at most 261 bytes, and its URLs have at most MaxURLBytes together: so it keeps
// 100 MiB at most; one of 100,000 names as they are common keeps 20 MiB.
//
// # Imports
//
// The standard library and golang.org/x/net/html; nothing of the project.
package listing
