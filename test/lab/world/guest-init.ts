// What runs first on the machine's files in another kernel: makes it a host of its own, and takes commands by a serial
// line, their input and output in files of the test's folder.
import { type Kernel, modulesFolder, umlRelease } from './kernel.ts'
import { OWN_MACHINE } from './space.ts'

// In an emulator scripts/kernel-init.sh does the same before.
const UML_ROOT = (folder: string): string => `
mount -t proc none /proc
mount -t sysfs none /sys
insmod ${modulesFolder('uml')}/${umlRelease()}/kernel/fs/overlayfs/overlay.ko
mount -t tmpfs none /run
mkdir /run/new /run/work /run/root
mount -t overlay -o lowerdir=/,upperdir=/run/new,workdir=/run/work none /run/root
cd /run/root
mount -t tmpfs none run
mkdir run/test run/machine
# Else what is written waits for the next write-back.
mount -t hostfs -o sync,${folder} none run/test
for each in proc sys dev; do mount --move /$each $each; done
pivot_root . run/machine
`

/** The text of the program, in bash; `name` is the host's. */
export function guestInit(kernel: Kernel, name: string, folder: string): string {
  const line = kernel === 'uml' ? '/dev/ttyS0' : '/dev/ttyS1'
  return `#!/bin/bash
set -- ${name}
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
set -e
${kernel === 'uml' ? UML_ROOT(folder) : ''}
cd /
mkdir -p /dev/pts /dev/shm /dev/net /lib/modules
mount -t devpts none /dev/pts
mount -t tmpfs none /dev/shm
mount --bind ${modulesFolder(kernel)} /lib/modules
mount -t cgroup2 none /sys/fs/cgroup || true
modprobe -a tun ipv6 ${kernel === 'uml' ? '' : 'virtio_net'} || true
[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
${OWN_MACHINE}
sysctl -q -w net.core.netdev_max_backlog=100000 net.core.rmem_default=1000000
card=$(cd /sys/class/net; ls -d eth* vec* 2>/dev/null | head -n 1)
ip link set "$card" name enp0s3
exec 3<>${line}
stty -F ${line} raw -echo
set +e
say() { printf '%s\\n' "$*" >&3; }
run() {
  file=/run/test/$1
  sh "$file" <"$file.in" >"$file.out" 2>"$file.err" 3<&- &
  say "pid $1 $!"
  wait "$!"
  say "ended $1 $?"
}
say ready
while read -r verb first second; do
  case $verb in
    run) run "$first" & ;;
    kill) kill -s "$second" -- "$first" 2>/dev/null ;;
  esac
done <&3
`
}
