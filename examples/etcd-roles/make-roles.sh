#!/bin/sh
# Creates etcd users and roles for a flannel network, with minimal rights. It can be run again safely.
# Invariant: no password is a program's argument, so none is visible in the process list.
#
# etcdctl uses its own variables: ETCDCTL_ENDPOINTS, ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY, ETCDCTL_USER.
set -eu

usage() {
  cat >&2 <<'TEXT'
Usage: make-roles.sh [-p PREFIX] roles
       make-roles.sh [-p PREFIX] [-c] user NAME ROLE
       make-roles.sh [-p PREFIX] [-c] host NAME SUBNET

roles   creates the roles:
          flannel-host      what a daemon needs: reads PREFIX/, writes PREFIX/subnets/; not PREFIX/shut-out/
          flannel-operator  reads and writes PREFIX/: network config, reservations, hosts that are shut out
          flannel-reader    reads PREFIX/
user    creates a user with one of them; the password is the first line of standard input
host    creates a user for one host, with its own role: reads PREFIX/, writes the lease of SUBNET (10.2.21.0/24).
        Reserve the subnet for it: flanneld reserve SUBNET PUBLIC-IP

  -p PREFIX  the daemons' -etcd-prefix (/coreos.com/network)
  -c         no password: the user logs in with a client certificate whose common name is NAME
TEXT
  exit 2
}

prefix=/coreos.com/network
by_certificate=''
while getopts p:c option; do
  case $option in
    p) prefix=${OPTARG%/} ;;
    c) by_certificate=yes ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
export ETCDCTL_API=3

# role NAME: creates it if missing
role() {
  etcdctl role get "$1" >/dev/null 2>&1 || etcdctl role add "$1"
}

# user NAME ROLE: creates it if missing, sets its password, grants the role
user() {
  if [ -n "$by_certificate" ]; then
    etcdctl user get "$1" >/dev/null 2>&1 || etcdctl user add "$1" --no-password
  else
    if [ -t 0 ]; then
      printf 'Password of %s: ' "$1" >&2
      trap 'stty echo' EXIT INT TERM
      stty -echo
    fi
    IFS= read -r password || [ -n "$password" ] || { echo 'make-roles.sh: no password on standard input' >&2; exit 2; }
    if [ -t 0 ]; then stty echo && echo >&2; fi
    [ -n "$password" ] || { echo 'make-roles.sh: the password is empty' >&2; exit 2; }
    if etcdctl user get "$1" >/dev/null 2>&1; then
      printf '%s\n' "$password" | etcdctl user passwd "$1" --interactive=false
    else
      printf '%s\n' "$password" | etcdctl user add "$1" --interactive=false
    fi
  fi
  etcdctl user get "$1" | tr ' ' '\n' | grep -qxF "$2" || etcdctl user grant-role "$1" "$2"
}

case ${1-} in
  roles)
    [ $# = 1 ] || usage
    for name in flannel-host flannel-operator flannel-reader; do role $name; done
    etcdctl role grant-permission flannel-host --prefix=true read "$prefix/"
    etcdctl role grant-permission flannel-host --prefix=true readwrite "$prefix/subnets/"
    etcdctl role grant-permission flannel-operator --prefix=true readwrite "$prefix/"
    etcdctl role grant-permission flannel-reader --prefix=true read "$prefix/"
    ;;
  user)
    [ $# = 3 ] || usage
    user "$2" "$3"
    ;;
  host)
    [ $# = 3 ] || usage
    case $3 in */*) ;; *) echo "make-roles.sh: $3: must be a subnet, such as 10.2.21.0/24" >&2; exit 2 ;; esac
    role "flannel-host-$2"
    etcdctl role grant-permission "flannel-host-$2" --prefix=true read "$prefix/"
    etcdctl role grant-permission "flannel-host-$2" readwrite "$prefix/subnets/${3%/*}-${3#*/}"
    user "$2" "flannel-host-$2"
    ;;
  *) usage ;;
esac
