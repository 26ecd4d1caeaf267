# Building: the release preset, or another one of CMakePresets.json by HEDDLE_PRESET, with ninja's
# progress.

preset=${HEDDLE_PRESET:-release}
build_dir=build/$preset

# build TARGET...
build() {
  # So that a second checkout finds what the first one compiled.
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
  export NINJA_STATUS="[%f/%t, %e s] "
  if [ ! -e "$build_dir/build.ninja" ]; then
    step "configuring" cmake --preset "$preset" -Wno-dev
  fi
  step "building $*" ninja -C "$build_dir" "$@"
}

# prepare TARGET...: what `demo` and `test` do first.
prepare() {
  check_host
  install_groups build run test
  build "$@"
}
