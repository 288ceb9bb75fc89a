#!/bin/sh
# Makes a folder with the kernel of a Debian suite, to boot in an emulator: vmlinuz, lib/modules, and an initramfs whose
# root is this machine's (kernel-init.sh).
# Invariant: the folder is there whole or not at all, and nothing is installed. Usage: kernel.sh SUITE FOLDER, as root.
set -eu

suite=$1 folder=$(realpath -m "$2")
here=$(dirname "$(realpath "$0")")
mkdir -p "$(dirname "$folder")"
part=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$part"' EXIT INT TERM
echo "kernels: $suite"

# apt with folders of its own, and this suite as its only source, from where this machine has its packages.
# shellcheck disable=SC2016
site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep '/debian/*$' | head -n 1)
[ -n "$site" ] || { echo "kernels: apt: no source ends in /debian: see sources.list(5)" >&2; exit 1; }
mkdir -p "$part/apt/lists/partial" "$part/apt/cache/archives/partial" "$part/deb"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $suite main" >"$part/apt/sources.list"
cat >"$part/apt/apt.conf" <<EOF
Dir::State::Lists "$part/apt/lists";
Dir::Cache "$part/apt/cache";
Dir::Etc::SourceList "$part/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
APT::Sandbox::User "root";
EOF
export APT_CONFIG="$part/apt/apt.conf"
{
  apt-get -q update
  # The newest kernel is what the package of all kernels depends on; from Debian 14 on it is in three.
  image=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9]\)/\1/p')
  # shellcheck disable=SC2046
  (cd "$part/deb" && apt-get -q download "$image" \
    $(apt-cache depends "$image" | sed -n 's/.* Depends: \(linux-\(base\|binary\|modules\)-[0-9].*\)/\1/p'))
} >"$folder.log" 2>&1 || { tail -n 20 "$folder.log" >&2; exit 1; }

# The modules of networks and of the file systems to start from, a tenth of all. A suite has not each of these.
modules=''
for top in ./lib ./usr/lib; do
  modules="$modules $top/modules/*/modules.builtin* $top/modules/*/modules.order"
  for each in net crypto lib arch/x86/crypto fs/9p fs/netfs fs/fscache fs/overlayfs drivers/virtio drivers/crypto/virtio \
    'drivers/net/*.ko' 'drivers/net/*.ko.xz' drivers/net/vxlan drivers/net/wireguard drivers/net/ipvlan; do
    modules="$modules $top/modules/*/kernel/$each"
  done
done
debs=$(ls "$part"/deb/*.deb)
set -f
for deb in $debs; do
  # shellcheck disable=SC2086
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$part" --wildcards --no-wildcards-match-slash './boot/vmlinuz-*' \
    './usr/lib/modules/*/vmlinuz' $modules 2>/dev/null || true
done
set +f
rm -rf "$part/apt" "$part/deb"
[ -d "$part/lib" ] || mv "$part/usr/lib" "$part/lib"
mv "$part"/boot/vmlinuz-* "$part/vmlinuz" 2>/dev/null || mv "$part"/lib/modules/*/vmlinuz "$part/vmlinuz"
rm -rf "${part:?}/boot" "${part:?}/usr"
release=$(ls "$part/lib/modules")
depmod -b "$part" "$release"

# The initramfs: busybox, and the modules without which there is no root, in the order they are loaded.
root=$part/initramfs.d
mkdir -p "$root/bin" "$root/modules"
cp /bin/busybox "$root/bin"
cp "$here/kernel-init.sh" "$root/init"
for module in virtio_pci 9pnet_virtio 9p overlay; do
  modprobe -d "$part" -S "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
  name=$(basename "${file%.xz}")
  case $file in *.xz) xz -dc "$file" >"$root/modules/$name" ;; *) cp "$file" "$root/modules/$name" ;; esac
  echo "$name" >>"$root/order"
done
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$part/initramfs"
rm -rf "$root"
echo "$release" >"$part/release"
chmod 755 "$part"
# Another process may have been quicker.
mv -T "$part" "$folder" 2>/dev/null || [ -e "$folder/release" ]
