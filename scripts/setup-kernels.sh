#!/bin/sh
# Installs, on Debian as root, what booting other kernels needs beyond setup-machine.sh: an emulator, Linux as a program
# (User-Mode Linux), and tools for modules and archives. `make test` needs none of it.
# Invariant: as setup-machine.sh's. No kernel is installed on this machine, and no boot loader: kernel.sh only unpacks.
set -eu

wanted=''
for package in qemu-system-x86 user-mode-linux kmod cpio xz-utils; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wanted="$wanted $package"
done
[ -n "$wanted" ] || exit 0
echo "setup: installing$wanted"
# shellcheck disable=SC2086
"$(dirname "$0")/apt-install.sh" $wanted
