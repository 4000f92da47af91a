# Functions of the scripts in this folder; sourced, not run.

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

# install_packages PACKAGE... installs Debian packages without starting the
# daemons that come with some of them: a policy-rc.d that says 101 tells Debian
# to leave them alone. Fails, with the reason on standard error, when it cannot.
install_packages() {
	if ! command -v apt-get >/dev/null; then
		echo "this is no Debian system; please install: $*" >&2
		return 1
	fi
	if ! as_root true; then
		echo "neither root nor sudo; please install: $*" >&2
		return 1
	fi
	local policy=/usr/sbin/policy-rc.d ours='' status=0
	if [ ! -e "$policy" ]; then
		ours=yes
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
	echo "installing: $*"
	{
		as_root apt-get -qq update &&
			as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
				apt-get -qq -y --no-install-recommends install "$@"
	} >/tmp/zsyncfs-apt.$$ 2>&1 </dev/null || status=$?
	[ -z "$ours" ] || as_root rm -f "$policy"
	if [ "$status" != 0 ]; then
		tail -n 5 /tmp/zsyncfs-apt.$$ >&2
		echo "apt-get could not install: $*" >&2
	fi
	rm -f /tmp/zsyncfs-apt.$$
	return "$status"
}
