#!/bin/sh
# Go flannel's script: the same name and flags.
exec /opt/bin/flanneld docker-opts "$@"
