# How ./dev speaks: progress with the time it took, errors with what to do.

say() { printf '%s\n' "dev: $*" >&2; }

die() {
  say "$*"
  exit 1
}

# step TITLE COMMAND...: runs it and says how long it took.
step() {
  local title=$1 start=$SECONDS
  shift
  say "$title ..."
  "$@" || {
    local status=$?
    say "$title failed after $((SECONDS - start)) s (status $status)"
    return $status
  }
  say "$title done in $((SECONDS - start)) s"
}
