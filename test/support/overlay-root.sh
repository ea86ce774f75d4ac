#!/bin/sh
# Runs a shell script as root of a copy of this machine's root folder, in mount, process and network namespaces of its own.
# What it changes is in memory, and gone with it: packages can be installed and removed there. FILES are seen in /mnt.
#
#   overlay-root.sh FOLDER FILES SCRIPT...     FOLDER is an empty one for the mounts
set -e
if [ -z "$TANDEM_OVERLAY" ]; then
  TANDEM_OVERLAY=1 exec unshare --mount --propagation private --pid --fork --kill-child --net sh "$0" "$@"
fi
folder=$1 files=$2
shift 2
mount -t tmpfs -o mode=755 overlay-root "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
mount -t proc proc "$folder/root/proc"
mount --rbind /dev "$folder/root/dev"
mount -t tmpfs -o mode=755 run "$folder/root/run"
mount -t tmpfs -o mode=1777 tmp "$folder/root/tmp"
mount --bind "$files" "$folder/root/mnt"
ip link set lo up
unset TANDEM_OVERLAY
exec chroot "$folder/root" "$@"
