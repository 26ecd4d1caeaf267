# Lint: what needs no run of the program. The debug preset's commands name each source; the release
# preset compiles several as one.
lint_dir=build/debug

tracked() { git -c safe.directory="$root" ls-files -- "$@"; }

# clang sees a Result that a co_await drops; g++ 12 does not.
lint_coroutines() {
  local files
  files=$(tracked '*.cc' | xargs grep -l co_await || true)
  [ -n "$files" ] || return 0
  printf '%s\n' "$files" | python3 tests/support/dev/clang_syntax.py "$lint_dir"
}

lint_tidy() {
  local base=$1 files
  files=$(git -c safe.directory="$root" diff --name-only --diff-filter=d "$base" -- '*.cc')
  [ -n "$files" ] || return 0
  # shellcheck disable=SC2086
  clang-tidy-19 -p "$lint_dir" --quiet --warnings-as-errors='*' $files
}

lint() {
  check_host_build
  install_groups build lint
  step "configuring" cmake --preset debug -Wno-dev --log-level=WARNING
  step "generating sources" ninja -C "$lint_dir" generated
  local status=0
  step "structure (tests/tidy)" python3 tests/tidy/tidy.py --build "$lint_dir" || status=1
  step "results that coroutines drop" lint_coroutines || status=1
  step "clang-tidy" lint_tidy "${1:-HEAD~1}" || status=1
  return $status
}
