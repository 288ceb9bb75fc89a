#!/bin/sh
# Installs, on Debian as root, the system programs that building and testing need and that are not there yet.
# Invariant: nothing is started (apt-install.sh).
set -eu

# package and a program it brings, for those that a full machine may have from elsewhere (say, Docker's own packages)
wanted='etcd-server:etcd etcd-client:etcdctl docker.io:dockerd iproute2:ip iptables:iptables nftables:nft
traceroute:traceroute iperf3:iperf3 iputils-ping:ping procps:ps ethtool:ethtool gcc:gcc g++:g++ binutils:strip git:git util-linux:nsenter npm:npm
systemd:systemd-analyze debootstrap:debootstrap zsh:zsh prometheus:promtool curl:curl chromium:chromium pngquant:pngquant
wireguard-go:wireguard-go wireguard-tools:wg tcpdump:tcpdump'
missing=''
for pair in $wanted; do
  command -v "${pair#*:}" >/dev/null 2>&1 || missing="$missing ${pair%%:*}"
done
# the programs alone do not show these
for package in busybox-static libc6-dev ca-certificates libfaketime strongswan-charon libstrongswan-standard-plugins; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
# Docker's client is a package of its own from Debian 13 on, and part of docker.io before.
if ! command -v docker >/dev/null 2>&1 && grep -qE '^VERSION_ID="?(1[3-9]|[2-9][0-9])|^VERSION_CODENAME=sid' /etc/os-release; then
  missing="$missing docker-cli"
fi
[ -n "$missing" ] || exit 0

echo "setup: installing$missing"
if [ "$(id -u)" != 0 ]; then
  echo "setup: apt: not root: run make as root once, or: apt-get install$missing" >&2
  exit 1
fi
# shellcheck disable=SC2086
"$(dirname "$0")/apt-install.sh" $missing
