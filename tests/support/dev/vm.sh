# Tests under other kernels: Debian's, booted by qemu from the packages' files (nothing is
# installed), with this machine's root file system shared read-only and a tmpfs over it for all that
# is written.

vm_dir=build/vm

# The package with the newest kernel of a series that the machine's own apt sources have.
vm_find_package() {
  apt-cache search --names-only "^linux-image-$1\\.[0-9.+a-z~-]*-?amd64(-unsigned)?$" |
    awk '{ print $1 }' | grep -vE 'rt|cloud|dbg|unsigned' | sort -V | tail -n 1
}

# vmlinuz and modules of one series in $vm_dir/<series>.
vm_fetch_kernel() {
  local series=$1 dir="$root/$vm_dir/$1" package
  [ -e "$dir/version" ] && return 0
  package=$(vm_find_package "$series") || true
  [ -n "$package" ] ||
    die "no Debian kernel $series in the package lists (apt-get update? bookworm-security?)"
  rm -rf "$dir"
  mkdir -p "$dir/deb"
  (cd "$dir/deb" && apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=3 \
    download "$package" </dev/null >&2)
  dpkg -x "$dir"/deb/*.deb "$dir"
  rm -rf "$dir/deb"
  [ -d "$dir/lib/modules" ] || ln -s usr/lib "$dir/lib"
  local version
  version=$(basename "$dir"/lib/modules/*)
  depmod -b "$dir" "$version"
  printf '%s\n' "$version" >"$dir/version"
}

# busybox, the modules that reach the shared root, in order, and the first script.
vm_make_initramfs() {
  local dir="$root/$vm_dir/$1" version tree module
  version=$(cat "$dir/version")
  tree=$(mktemp -d)
  mkdir -p "$tree"/{bin,modules,proc,sys,dev,lower,upper,root}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  cp tests/support/dev/vm_init.sh "$tree/init"
  chmod 755 "$tree/init"
  for module in virtio_pci 9pnet_virtio 9p overlay; do
    modprobe -d "$dir" -S "$version" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$tree/modules/paths"
  local path name
  while read -r path; do
    name=$(basename "$path")
    case $name in
      *.xz) name=${name%.xz} && xz -dc "$path" >"$tree/modules/$name" ;;
      *) cp "$path" "$tree/modules/" ;;
    esac
    printf '%s\n' "$name" >>"$tree/modules/list"
  done <"$tree/modules/paths"
  (cd "$tree" && find . | cpio -o -H newc --quiet) >"$dir/initramfs"
  rm -rf "$tree"
}

# vm_qemu SERIES ACCEL KERNEL-ARGUMENTS...
vm_qemu() {
  local series=$1 accel=$2
  shift 2
  qemu-system-x86_64 -accel "$accel" -cpu max -m 3072 -smp "$(nproc)" -nodefaults -nographic \
    -no-reboot -serial stdio -nic none -kernel "$root/$vm_dir/$series"/boot/vmlinuz-* \
    -initrd "$root/$vm_dir/$series/initramfs" \
    -virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap" \
    -virtfs "local,path=$root/$vm_dir/out,mount_tag=out,security_model=none" \
    -append "console=ttyS0 panic=-1 quiet loglevel=3 random.trust_cpu=on $*" </dev/null
}

# KVM where it works: it may be there and hang, so it has to boot within the time.
vm_accel() {
  local probe
  probe="$(declare -f vm_qemu); root='$root' vm_dir='$vm_dir'; vm_qemu '$1' kvm heddle.probe=1"
  if [ -w /dev/kvm ] && timeout -k 1 20 bash -c "$probe" 2>/dev/null | grep -q HEDDLE-VM-PROBE; then
    echo kvm
  else
    echo tcg,thread=multi
  fi
}

# The tests' commands, as lines `NAME<tab>COMMAND`, in $vm_dir/out/tests.
vm_list_tests() {
  ctest --test-dir "$build_dir" --show-only=json-v1 |
    python3 tests/support/dev/vm_tests.py "$@" >"$vm_dir/out/tests"
  [ -s "$vm_dir/out/tests" ] || die "no test matches: $*"
}

vm() {
  local series=6.1 selection=() short=() argument
  for argument in "$@"; do
    case $argument in
      6.*) series=$argument ;;
      --short) short=(--short) ;;
      *) selection+=("$argument") ;;
    esac
  done
  check_host
  install_groups build run test vm
  build all
  mkdir -p "$vm_dir"
  step "Debian's kernel $series" vm_fetch_kernel "$series"
  vm_make_initramfs "$series"
  rm -rf "$vm_dir/out"
  mkdir -p "$vm_dir/out"
  vm_list_tests "${short[@]}" "${selection[@]}"
  local accel
  accel=$(vm_accel "$series")
  say "running $(wc -l <"$vm_dir/out/tests") tests under $(cat "$vm_dir/$series/version") ($accel)"
  local boot
  boot="$(declare -f vm_qemu); root='$root' vm_dir='$vm_dir'; vm_qemu '$series' '$accel'"
  boot+=" 'heddle.root=$root' heddle.series=$series heddle.build=$build_dir"
  timeout -k 5 "${HEDDLE_VM_SECONDS:-3000}" bash -c "$boot" |
    tr -d '\r' | tee "$vm_dir/console.log" | sed -un 's/^HEDDLE-VM: //p'
  vm_report "$series"
}

vm_report() {
  local passed failed total
  total=$(wc -l <"$vm_dir/out/tests")
  passed=$(grep -c '^passed' "$vm_dir/out/results" 2>/dev/null) || true
  failed=$(grep -c '^failed' "$vm_dir/out/results" 2>/dev/null) || true
  python3 tests/support/dev/skips.py tests/allowed-skips-vm.txt "$vm_dir/out" ||
    failed=$((failed + 1))
  if [ "${failed:-0}" -eq 0 ] && [ "${passed:-0}" -eq "$total" ]; then
    echo "vm $1: all $total tests passed"
    return 0
  fi
  say "the console is in $vm_dir/console.log, each test's output in $vm_dir/out/"
  echo "vm $1: ${passed:-0} of $total tests passed"
  return 1
}
