# The demo lab: run whole, or deployed to play in.

demo_lab=topologies/labs/demo.lab.yml

demo() {
  prepare programs
  PATH="$root/$build_dir/bin:$PATH" heddle lab run "$@" "$demo_lab"
}

lab_shell() {
  prepare programs
  export PATH="$root/$build_dir/bin:$PATH"
  trap 'heddle lab destroy "$demo_lab" || true' EXIT
  step "deploying" heddle lab deploy "$demo_lab"
  cat >&2 <<'END'

You are on h1, one of three hosts. heddle talks to its heddled; try:
  heddle swarm init          heddle network create app        heddle system info
Leave with exit or Ctrl-D; the lab is taken down then.

END
  heddle lab exec --name "$(sed -n 's/^name: *//p' "$demo_lab")" h1 -- bash || true
}
