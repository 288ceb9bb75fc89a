#!/bin/sh
# Runs the daemon or a verb with these arguments. As in other flannel images, the first argument may be the path of a program in
# /opt/bin, followed by its own arguments.
case "${1-}" in
/opt/bin/flanneld | /opt/bin/mk-docker-opts.sh) exec "$@" ;;
*) exec /opt/bin/flanneld "$@" ;;
esac
