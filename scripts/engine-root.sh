#!/bin/sh
# Makes a folder with Debian, Docker and iptables of one suite, to run an engine other than this machine's in (LAB.md).
# Invariant: the folder is there whole or not at all. Usage: engine-root.sh SUITE FOLDER, as root.
set -eu

suite=$1 folder=$2
[ -e "$folder/usr/sbin/dockerd" ] && exit 0
command -v debootstrap >/dev/null 2>&1 || "$(dirname "$0")/setup-machine.sh"
echo "engines: $suite, a minute"
mkdir -p "$(dirname "$folder")"
part=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$part"' EXIT INT TERM
packages=docker.io,iptables,nftables,iproute2
# A package of its own from Debian 13 on.
[ "$suite" = bookworm ] || packages=$packages,docker-cli
debootstrap --variant=minbase --include="$packages" "$suite" "$part" >"$folder.log" 2>&1 || {
  tail -n 20 "$folder.log" >&2
  exit 1
}
rm -rf "$part"/var/cache/apt/archives/*.deb "$part"/usr/share/doc "$part"/usr/share/locale
chmod 755 "$part"
# Another process may have been quicker.
mv -T "$part" "$folder" 2>/dev/null || [ -e "$folder/usr/sbin/dockerd" ]
