# Tests: ctest, and no skip that tests/allowed-skips.txt does not allow.

run_tests() {
  prepare all
  local results="$root/$build_dir/test-results" status=0
  rm -rf "$results"
  mkdir -p "$results"
  say "testing ..."
  GTEST_OUTPUT="json:$results/" HEDDLE_BIN="$root/$build_dir/bin" \
    ctest --test-dir "$build_dir" --output-on-failure --no-tests=error -j "$(nproc)" "$@" |
    tee "$results/ctest.log" || status=$?
  python3 tests/support/dev/skips.py tests/allowed-skips.txt "$results" || status=1
  # ctest's own closing line, as the last one.
  grep -E 'tests passed, .* tests failed out of' "$results/ctest.log" || true
  return $status
}
