#!/bin/busybox sh
# shellcheck shell=dash
# The first program of a kernel that kernel.sh made and an emulator boots: mounts this machine's file system, read-only, under a
# layer in memory that takes what is written, and the folder of the test, and goes on with the program in that folder.
/bin/busybox --install -s /bin
mkdir /proc /sys /dev /lower /upper /root
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
while read -r module; do insmod "/modules/$module"; done </order
shares=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o ro,cache=loose,$shares machine /lower
mount -t tmpfs none /upper
mkdir /upper/new /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/new,workdir=/upper/work none /root
mkdir -p /root/run/test
mount -t tmpfs none /root/run
mkdir /root/run/test
mount -t 9p -o $shares test /root/run/test
for each in proc sys dev; do mount --move "/$each" "/root/$each"; done
exec switch_root /root /bin/bash /run/test/init
