#!/bin/sh
# Installs, on Debian as root, what making and testing the packages needs beyond setup-machine.sh: a compiler for arm64 and
# an emulator to start its program in, a second opinion on .deb, man page and compose file. `make test` needs none of it.
# Invariant: as setup-machine.sh's.
set -eu

wanted=''
for package in gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-arm64-cross libstdc++6-arm64-cross qemu-user lintian mandoc \
  shellcheck docker-compose; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wanted="$wanted $package"
done
[ -n "$wanted" ] || exit 0
echo "setup: installing$wanted"
# shellcheck disable=SC2086
"$(dirname "$0")/apt-install.sh" $wanted
