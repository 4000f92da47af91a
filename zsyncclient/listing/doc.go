// Package listing reads the directory listings of HTTP servers: HTML autoindex
// pages, JSON of nginx and Caddy, S3 ListObjectsV2 XML, and plain index files.
// It is pure: bytes in, names and URLs out.
package listing
