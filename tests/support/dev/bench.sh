# Benchmarks: every program that the build puts into bench/.

bench() {
  check_host
  install_groups build run test bench
  build bench
  local program found=0
  for program in "$build_dir"/bench/*"${1:-}"*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    found=1
    step "$(basename "$program")" "$program"
  done
  [ $found -eq 1 ] || die "no benchmark matches '${1:-}'"
}
