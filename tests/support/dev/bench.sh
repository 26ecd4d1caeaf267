# Benchmarks: every program that the build puts into bench/, and how long the command line takes to
# start.

bench() {
  check_host
  install_groups build run test bench
  build bench programs
  local program found=0
  for program in "$build_dir"/bench/*"${1:-}"*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    found=1
    step "$(basename "$program")" "$program"
  done
  if [ $# -eq 0 ]; then
    step "heddle --version" hyperfine -N --warmup 5 "$build_dir/bin/heddle --version"
  elif [ $found -eq 0 ]; then
    die "no benchmark matches '$1'"
  fi
}
