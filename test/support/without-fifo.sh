#!/bin/sh
# Runs a program to which the kernel refuses SCHED_FIFO, but not niceness: by resource limits, or, where those may not be
# raised (no CAP_SYS_RESOURCE), in a cgroup without a real-time budget.
set -e
if prlimit --nice=40 true 2>/dev/null; then
  exec prlimit --rtprio=0 --nice=40 setpriv --bounding-set=-sys_nice "$@"
fi
# "ip netns exec" hides the cgroups behind a /sys of its own, in a mount namespace that is ours
mount=$(mktemp -d)
mount -t cgroup -o cpu cgroup "$mount"
mkdir -p "$mount/tdt-without-fifo"
echo $$ >"$mount/tdt-without-fifo/cgroup.procs"
umount -l "$mount"
rmdir "$mount"
exec "$@"
