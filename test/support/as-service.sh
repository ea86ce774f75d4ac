#!/bin/sh
# Runs a program as config/tandem.service does: as a user without rights, with the unit's capabilities as ambient ones and
# nothing above them. To be called inside "ip netns exec", whose mount namespace is ours: the repository is seen at /mnt,
# for a user who may not enter the folders above it.
#
#   as-service.sh UID REPOSITORY CAPABILITIES PROGRAM...     capabilities as setpriv has them: +net_raw,+net_admin
set -e
uid=$1 repository=$2 capabilities=$3
shift 3
mount --bind "$repository" /mnt
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs \
  --inh-caps "-all,$capabilities" --ambient-caps "-all,$capabilities" --bounding-set "-all,$capabilities" "$@"
