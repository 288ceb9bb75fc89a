#!/bin/sh
# Go flannel's script by its name and with its flags.
exec /opt/bin/flanneld docker-opts "$@"
