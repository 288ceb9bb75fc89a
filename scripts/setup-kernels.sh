#!/bin/sh
# Installs, on Debian as root, what booting other kernels needs beyond setup-machine.sh: an emulator, Linux as a program
# (User-Mode Linux), tools for modules, and what the tests of backends run on them. `make test` needs none of it.
# Invariant: as setup-machine.sh's. No kernel is installed on this machine, and no boot loader: kernel.sh only unpacks.
set -eu

wanted=''
for package in qemu-system-x86 user-mode-linux kmod cpio xz-utils tcpdump wireguard-tools wireguard-go strongswan-charon libstrongswan-standard-plugins; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wanted="$wanted $package"
done
[ -n "$wanted" ] || exit 0
echo "setup: installing$wanted"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
install() { apt-get install -y -q --no-install-recommends $wanted; }
install >/dev/null 2>&1 || { apt-get update -q && install; }
