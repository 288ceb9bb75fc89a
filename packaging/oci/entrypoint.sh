#!/bin/sh
# What the image runs: the daemon or a verb of it with these arguments; or, as other images of flannel have it, a program of
# /opt/bin by its path with its own arguments.
case "${1-}" in
/opt/bin/flanneld | /opt/bin/mk-docker-opts.sh) exec "$@" ;;
*) exec /opt/bin/flanneld "$@" ;;
esac
