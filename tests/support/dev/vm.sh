vm() { die "vm: not here yet"; }
