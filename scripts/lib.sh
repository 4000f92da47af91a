# Functions of the scripts in this folder; sourced, not run.

# find_go fails when there is no Go. Where it is usually installed counts too:
# sudo has a PATH of its own.
find_go() {
	command -v go >/dev/null && return 0
	PATH=$PATH:/usr/local/go/bin
	command -v go >/dev/null && return 0
	echo "Go is not installed, or not on PATH (https://go.dev/dl/; go.mod says which version)" >&2
	return 1
}

# as_root COMMAND... runs a command as root: directly, or with sudo when that
# asks no password. Fails otherwise.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		sudo -n "$@"
	else
		return 1
	fi
}

# missing_packages COMMAND=PACKAGE... prints the packages whose command is
# nowhere to be found. Debian keeps servers in sbin, which is not on every PATH.
missing_packages() {
	local pair
	for pair in "$@"; do
		PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || echo "${pair#*=}"
	done | sort -u
}

# install_packages PACKAGE... installs Debian packages; daemons that come with
# some of them are neither started nor enabled for the next start of the
# machine. Fails, with the reason on standard error, when it cannot.
install_packages() {
	if ! command -v apt-get >/dev/null; then
		echo "this is no Debian system; please install what these packages hold: $*" >&2
		return 1
	fi
	if ! as_root true; then
		echo "packages are missing, and installing them takes root, or sudo without a password. As root:" >&2
		echo "    apt-get install --no-install-recommends $*" >&2
		return 1
	fi
	echo "installing: $*"
	apt_install "$@" || {
		echo "apt-get could not install: $*" >&2
		return 1
	}
}

# apt_install is the work of install_packages. Its body is a subshell: what it
# puts into the system for the time of the installation goes away on a signal
# too.
apt_install() (
	policy=/usr/sbin/policy-rc.d ours='' log=$(mktemp) units=/lib/systemd/system
	clear() {
		[ -z "$ours" ] || as_root rm -f "$policy"
		rm -f "$log"
	}
	trap clear EXIT
	# The script that waits for this ends with it only when it dies of the signal.
	trap 'clear; trap - INT EXIT; kill -INT "$BASHPID"' INT
	trap 'clear; trap - TERM EXIT; kill -TERM "$BASHPID"' TERM
	if [ ! -e "$policy" ]; then
		# 101 tells Debian's packages to leave their daemons alone.
		ours=yes
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
	before=$(ls "$units" 2>/dev/null || true)
	if ! {
		as_root apt-get -qq update &&
			as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -y \
				-o DPkg::Lock::Timeout=300 --no-install-recommends install "$@"
	} >"$log" 2>&1 </dev/null; then
		tail -n 5 "$log" >&2
		exit 1
	fi
	command -v systemctl >/dev/null || exit 0
	mapfile -t new < <(comm -13 <(printf '%s\n' "$before" | sort) <(ls "$units" | sort) | grep -E '\.(service|socket|timer)$' | grep -v '@')
	[ "${#new[@]}" = 0 ] || as_root systemctl disable --quiet "${new[@]}" >/dev/null 2>&1 || true
)
