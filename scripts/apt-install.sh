#!/bin/sh
# Installs Debian packages, as root, from lists that may be older than the archive. Usage: apt-install.sh PACKAGE...
# Invariant: nothing is started. Packages whose service would start at once (etcd, docker, strongSwan) are kept from it, with or
# without systemd, by the policy Debian has for that (/usr/share/doc/init-system-helpers, policy-rc.d).
set -eu

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -q --no-install-recommends "$@"; }
install "$@" >/dev/null 2>&1 || { apt-get update -q && install "$@"; }
