# Packages: what packages.txt says, minus what is installed. Installing neither starts nor enables a
# service.

policy_file=/usr/sbin/policy-rc.d
policy_saved=/usr/sbin/policy-rc.d.heddle-saved

# The names of one group.
packages_of() {
  awk -v group="[$1]" '{ sub(/#.*/, "") } /^\[/ { in_group = ($1 == group); next }
                       in_group && NF { print $1 }' packages.txt
}

# Of the given names, those that are not installed.
not_installed() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
    awk '$2 == "installed" { print $1 }') || true
  local name
  for name in "$@"; do
    grep -qxF "$name" <<<"$installed" || printf '%s\n' "$name"
  done
}

# A package's maintainer script asks policy-rc.d whether it may start its service: not now. What was
# there is put back as it was, also after an interrupted run.
forbid_services() {
  restore_policy
  if [ -e "$policy_file" ] || [ -L "$policy_file" ]; then
    mv -T "$policy_file" "$policy_saved"
  else
    : >"$policy_saved.none"
  fi
  printf '#!/bin/sh\nexit 101\n' >"$policy_file"
  chmod 755 "$policy_file"
  trap restore_policy EXIT
  trap 'restore_policy; exit 130' INT TERM HUP
}

restore_policy() {
  if [ -e "$policy_saved" ] || [ -L "$policy_saved" ]; then
    mv -T "$policy_saved" "$policy_file"
  elif [ -e "$policy_saved.none" ]; then
    rm -f "$policy_file" "$policy_saved.none"
  fi
}

# Units of packages that came just now must not start at the next boot either.
disable_units() {
  command -v systemctl >/dev/null || return 0
  local units
  units=$(dpkg -L "$@" 2>/dev/null |
    sed -nE 's,^(/usr)?/lib/systemd/system/([^/@]*\.(service|socket|timer))$,\2,p' | sort -u)
  # shellcheck disable=SC2086  # a list of words
  [ -z "$units" ] || systemctl disable --quiet $units >/dev/null 2>&1 || true
}

apt() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y \
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null
}

install_missing() {
  local before after
  before=$(dpkg-query -W -f '${Package}\n' | sort)
  if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then apt update; fi
  forbid_services
  local status=0
  apt install --no-install-recommends "$@" ||
    { apt update && apt install --no-install-recommends "$@"; } || status=$?
  restore_policy
  trap - EXIT INT TERM HUP
  [ $status -eq 0 ] || die "the packages could not be installed; apt's own words are above"
  after=$(dpkg-query -W -f '${Package}\n' | sort)
  # shellcheck disable=SC2046  # a list of words
  disable_units $(comm -13 <(printf '%s\n' "$before") <(printf '%s\n' "$after"))
}

# install_groups GROUP...: what of them is missing.
install_groups() {
  [ "$(id -u)" -ne 0 ] || restore_policy  # of a run that was killed
  local names missing group
  names=$(for group in "$@"; do packages_of "$group"; done | sort -u)
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "no apt here: Heddle is built on Debian 12; these packages of it are needed:"
    # shellcheck disable=SC2086
    printf '  %s\n' $names >&2
    exit 1
  fi
  # shellcheck disable=SC2086
  missing=$(not_installed $names)
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086
  missing=$(echo $missing)
  [ "$(id -u)" -eq 0 ] || die "packages are missing; as root: apt-get install $missing"
  # shellcheck disable=SC2086
  step "installing $missing" install_missing $missing
}
