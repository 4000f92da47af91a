package webserver

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// write makes the configuration file and returns its path.
func (s *Server) write(config string) (string, error) {
	path := s.file("server.conf")
	return path, os.WriteFile(path, []byte(config), 0o644)
}

// passwords makes a password file with one line and returns its path.
func (s *Server) passwords(encoded string) (string, error) {
	path := s.file("passwords")
	return path, os.WriteFile(path, []byte(s.options.User+":"+encoded+"\n"), 0o644)
}

// sha is how password files keep a password that may hold any character.
func sha(password string) string {
	sum := sha1.Sum([]byte(password))
	return "{SHA}" + base64.StdEncoding.EncodeToString(sum[:])
}

// eachRedirect is format filled with every redirect's source and aim, sorted.
func (s *Server) eachRedirect(format string) string {
	var b strings.Builder
	for _, from := range slices.Sorted(maps.Keys(s.options.Redirects)) {
		fmt.Fprintf(&b, format, from, s.options.Redirects[from])
	}
	return b.String()
}

// nginx runs as one process: no workers to lose, and the log is in order.
func (s *Server) nginx() ([]string, error) {
	o := s.options
	var extra strings.Builder
	if o.User != "" {
		file, err := s.passwords(sha(o.Password))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&extra, "auth_basic \"test\"; auth_basic_user_file %q;\n", file)
	}
	if o.BytesPerSecond != 0 {
		fmt.Fprintf(&extra, "limit_rate %d;\n", o.BytesPerSecond)
	}
	if o.JSONIndex {
		extra.WriteString("autoindex_format json;\n")
	}
	if o.NoRanges {
		extra.WriteString("max_ranges 0;\n")
	}
	extra.WriteString(s.eachRedirect("location = %s { return 302 %s; }\n"))
	path, err := s.write(fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/error.log info;
events { worker_connections 1024; }
http {
  types { text/html html; text/plain txt; }
  default_type application/octet-stream;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3;
  uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  log_format test '"$request" "$http_range" $status $body_bytes_sent';
  access_log %[2]s test;
  sendfile on;
  server {
    listen 127.0.0.1:%[3]d;
    root %[4]q;
    autoindex on;
    charset utf-8;
%[5]s  }
}
`, s.dir, s.log, s.Port, o.Root, extra.String()))
	return []string{"-p", s.dir, "-e", s.file("error.log"), "-c", path}, err
}

func (s *Server) apache() ([]string, error) {
	o := s.options
	access := "Require all granted"
	if o.User != "" {
		file, err := s.passwords(sha(o.Password))
		if err != nil {
			return nil, err
		}
		access = fmt.Sprintf("AuthType Basic\nAuthName test\nAuthUserFile %q\nRequire valid-user", file)
	}
	var user string
	if os.Getuid() == 0 {
		user = "User nobody\nGroup nogroup\n" // it refuses to serve as root
	}
	var modules strings.Builder
	for _, m := range []string{"mpm_event", "authn_core", "authn_file", "authz_core", "authz_user",
		"auth_basic", "alias", "autoindex", "mime"} {
		fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
	}
	path, err := s.write(fmt.Sprintf(`%[6]sListen 127.0.0.1:%[3]d
ServerName 127.0.0.1
DefaultRuntimeDir %[1]q
PidFile %[1]s/pid
ErrorLog %[1]s/error.log
LogFormat "\"%%r\" \"%%{Range}i\" %%>s %%B" test
CustomLog %[2]s test
%[7]sServerLimit 1
StartServers 1
ThreadsPerChild 32
MaxRequestWorkers 32
TypesConfig /dev/null
AddType text/html .html
AddType text/plain .txt
DocumentRoot %[4]q
<Directory %[4]q>
Options +Indexes +FollowSymLinks
IndexOptions FancyIndexing HTMLTable NameWidth=* Charset=UTF-8
%[5]s
</Directory>
%[8]s`, s.dir, s.log, s.Port, o.Root, access, modules.String(), user, s.eachRedirect("RedirectMatch 302 ^%s$ %s\n")))
	return []string{"-D", "FOREGROUND", "-f", path}, err
}

func (s *Server) lighttpd() ([]string, error) {
	o := s.options
	var extra strings.Builder
	if o.User != "" {
		file, err := s.passwords(o.Password)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&extra, "auth.backend = \"plain\"\nauth.backend.plain.userfile = %q\n", file)
		extra.WriteString(`auth.require = ("/" => ("method" => "basic", "realm" => "test", "require" => "valid-user"))` + "\n")
	}
	if o.Redirects != nil {
		extra.WriteString("url.redirect-code = 302\nurl.redirect = (\n")
		for _, from := range slices.Sorted(maps.Keys(o.Redirects)) {
			// A backslash means something else in its strings than in Go's.
			fmt.Fprintf(&extra, "\"^%s$\" => %q,\n", strings.ReplaceAll(from, ".", "[.]"), o.Redirects[from])
		}
		extra.WriteString(")\n")
	}
	path, err := s.write(fmt.Sprintf(`server.modules = ("mod_auth", "mod_authn_file", "mod_redirect", "mod_dirlisting", "mod_accesslog")
server.bind = "127.0.0.1"
server.port = %[3]d
server.document-root = %[4]q
server.errorlog = "%[1]s/error.log"
accesslog.filename = %[2]q
accesslog.format = "\"%%r\" \"%%{Range}i\" %%s %%b"
mimetype.assign = (".html" => "text/html", ".txt" => "text/plain", "" => "application/octet-stream")
dir-listing.activate = "enable"
dir-listing.encoding = "utf-8"
%[5]s`, s.dir, s.log, s.Port, o.Root, extra.String()))
	return []string{"-D", "-f", path}, err
}

// python's log of requests goes to its standard error.
func (s *Server) python() ([]string, error) {
	s.log = s.file("output.log")
	return []string{"-u", "-m", "http.server", strconv.Itoa(s.Port), "--bind", "127.0.0.1",
		"--directory", s.options.Root}, nil
}
