# Fuzzing: clang's libFuzzer with its sanitizers, in a build folder of its own.

# fuzz [TARGET] [SECONDS]: all targets when none is named.
fuzz() {
  local target="" seconds=60
  case ${1:-} in
    "" | *[!0-9]*) target=${1:-} && [ $# -eq 0 ] || shift ;;
  esac
  [ $# -eq 0 ] || seconds=$1
  check_host_build
  install_groups build fuzz
  local dir=build/fuzz names name
  names=$(cd tests/fuzz && ls ./*_fuzz.cc | sed 's|^\./||; s|_fuzz\.cc$||')
  if [ -n "$target" ]; then
    grep -qxF "$target" <<<"$names" || die "no fuzz target '$target'; there are:" $names
    names=$target
  fi
  step "configuring" cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 \
    -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1" -DHEDDLE_FUZZ=ON -DHEDDLE_SANITIZE=address,undefined \
    -Wno-dev --log-level=WARNING
  # shellcheck disable=SC2046
  step "building" ninja -C "$dir" $(printf 'fuzz_%s ' $names)
  # Found inputs stay in the build folder; what deserves it is committed to tests/fuzz/corpus.
  for name in $names; do
    mkdir -p "$dir/found/$name"
    step "fuzzing $name for $seconds s" fuzz_one "$dir" "$name" "$seconds"
  done
}

fuzz_one() {
  # Protobuf's containers come from a library without annotations.
  ASAN_OPTIONS=detect_container_overflow=0 "$1/fuzz/fuzz_$2" -max_total_time="$3" -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 -artifact_prefix="$1/found/$2-" \
    "$1/found/$2" "tests/fuzz/corpus/$2"
}
