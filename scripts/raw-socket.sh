#!/bin/sh
# Compiles the addon of the package raw-socket against one Node's headers: raw-socket.sh NODE_HOME OUTPUT. Unlike ours it is
# C++ against that very Node, so a file is good for one major version only and named after it (raw-24.node).
# CXX names another compiler, for another architecture.
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$(dirname "$2")"
# -w: the warnings are about Node's own headers and the package's code.
${CXX:-g++} -shared -fPIC -O2 -w -std=c++20 -DNODE_GYP_MODULE_NAME=raw -DBUILDING_NODE_EXTENSION \
  -I"$1/include/node" -Inode_modules/nan -o "$2.making" node_modules/raw-socket/src/raw.cc
mv "$2.making" "$2"
