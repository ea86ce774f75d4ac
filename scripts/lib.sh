# shellcheck shell=bash
# Shared by the scripts beside it: where the repository is, words on the terminal, packages.
# shellcheck disable=SC2034  # used by those who source it

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' RESET=$'\e[0m'
else
  BOLD='' DIM='' RED='' GREEN='' RESET=''
fi

step() { printf '%s==> %s%s\n' "$BOLD" "$*" "$RESET"; }
say() { printf '    %s\n' "$*"; }
good() { printf '    %s%s%s\n' "$GREEN" "$*" "$RESET"; }
warn() { printf '    %s%s%s\n' "$RED" "$*" "$RESET" >&2; }
die() {
  printf '%s%s: %s%s\n' "$RED" "$(basename "$0")" "$*" "$RESET" >&2
  exit 1
}

# Runs a command without its output; shows the end of that when it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) || tail -40 "$log" >&2
  rm -f "$log"
  return "$status"
}

need_root() {
  [[ $EUID -eq 0 ]] || die "$1 needs root: sudo scripts/$(basename "$0")"
}

# The Debian packages among "$@" that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# Installs packages; nothing that they bring is started now or at the next boot: the tests start what
# they need themselves, inside namespaces.
install_packages() {
  local guard='' units_before units_after unit status=0
  units_before=$(enabled_units)
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    # 101 is "not allowed by policy": no maintainer script starts a daemon
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    guard=/usr/sbin/policy-rc.d
    # shellcheck disable=SC2064  # the path of now
    trap "rm -f $guard" EXIT
  fi
  { DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } || status=$?
  if [[ -n $guard ]]; then
    rm -f "$guard"
    trap - EXIT
  fi
  units_after=$(enabled_units)
  for unit in $(comm -13 <(echo "$units_before") <(echo "$units_after")); do
    systemctl disable --quiet "$unit" || warn "could not disable $unit; it will start at boot"
  done
  return "$status"
}

# Services enabled at boot; none where systemd does not run.
enabled_units() {
  [[ -d /run/systemd/system ]] || return 0
  systemctl list-unit-files --type=service --state=enabled --no-legend --plain | awk '{ print $1 }' | sort
}
