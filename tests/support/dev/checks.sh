# What the machine must have. Each check prints what is missing and what is lost, and returns 1;
# nothing is changed. All of them run, so that one look tells everything.

proc_mounts=/proc/mounts
proc_filesystems=/proc/filesystems
kernel_btf=/sys/kernel/btf/vmlinux

check_root() {
  [ "$(id -u)" -eq 0 ] && return 0
  say "this needs root (network namespaces, BPF): run it as root, or through sudo"
  return 1
}

check_machine() {
  [ "$(uname -m)" = x86_64 ] && return 0
  say "this machine is $(uname -m); Heddle is built and tested on x86_64 alone so far"
  return 1
}

check_kernel() {
  local release major minor
  release=$(uname -r)
  IFS=.- read -r major minor _ <<<"$release"
  [ "$major" -gt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -ge 1 ]; } && return 0
  say "the kernel is $release; 6.1 or newer is needed (Debian 12's own is 6.1)"
  return 1
}

check_cgroup2() {
  grep -q ' cgroup2 ' "$proc_mounts" && return 0
  if grep -qw cgroup2 "$proc_filesystems"; then
    say "cgroup2 is not mounted; mount it: mkdir -p /sys/fs/cgroup/unified &&" \
      "mount -t cgroup2 none /sys/fs/cgroup/unified"
  else
    say "the kernel has no cgroup2 (CONFIG_CGROUPS, CONFIG_CGROUP_BPF): services need its BPF hooks"
  fi
  return 1
}

# Loads the smallest program there is (mov r0, 0; exit), as bpf(2) says. perl-base is essential in
# Debian; where it is not there, heddled will tell.
check_bpf() {
  local missing=0
  if [ ! -e "$kernel_btf" ]; then
    say "$kernel_btf is missing: the kernel needs CONFIG_DEBUG_INFO_BTF for portable BPF programs"
    missing=1
  fi
  command -v perl >/dev/null || return $missing
  local reason
  reason=$(perl -e '
    my $program = pack("CCsl CCsl", 0xb7, 0, 0, 0, 0x95, 0, 0, 0);
    my $license = "GPL\0";
    my $attributes = pack("LL Q Q LL Q L", 1, 2, unpack("Q", pack("P", $program)),
                          unpack("Q", pack("P", $license)), 0, 0, 0, 0) . "\0" x 128;
    exit 0 if syscall(321, 5, $attributes, 48) >= 0;
    print "$!";' 2>&1) || true
  if [ -n "$reason" ]; then
    say "BPF programs cannot be loaded here ($reason): the dataplane needs CONFIG_BPF_SYSCALL and" \
      "CAP_BPF, CAP_NET_ADMIN (in a container: run it privileged)"
    missing=1
  fi
  return $missing
}

check_disk() {
  local free
  free=$(df -Pm . | awk 'NR == 2 { print $4 }')
  [ "${free:-99999}" -ge 3000 ] && return 0
  say "$PWD has $free MB free; a build needs 3000"
  return 1
}

# run_checks CHECK...: all of them, then ends when any failed.
run_checks() {
  local failed=0 check
  for check in "$@"; do
    "check_$check" || failed=1
  done
  [ $failed -eq 0 ] || die "nothing was changed"
}

check_host() { run_checks root machine kernel cgroup2 bpf disk; }
check_host_build() { run_checks machine disk; }
