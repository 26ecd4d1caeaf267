# Building: the release preset, with ninja's progress.

build_dir=build/release

# build TARGET...
build() {
  export NINJA_STATUS="[%f/%t, %e s] "
  if [ ! -e "$build_dir/build.ninja" ]; then
    step "configuring" cmake --preset release -Wno-dev
  fi
  step "building $*" ninja -C "$build_dir" "$@"
}

# prepare TARGET...: what `demo` and `test` do first.
prepare() {
  check_host
  install_groups build run test
  build "$@"
}
