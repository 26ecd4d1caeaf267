#!/bin/bash
# Runs the listed tests inside the virtual machine, as its first process, and ends it.
# Lines for the outside start with `HEDDLE-VM: `.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
argument() { tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"; }
root=$(argument heddle.root)
kernel=$root/build/vm/$(argument heddle.series)
out=/run/heddle-vm
mkdir -p /lib/modules
modules=/lib/modules/$(uname -r)
[ -e "$modules" ] || ln -s "$kernel$modules" "$modules"
ip link set lo up
hostname vm
cd "$root" || poweroff -f
export HEDDLE_BIN="$root/$(argument heddle.build)/bin"
echo "HEDDLE-VM: Linux $(uname -r), $(nproc) processors"
while IFS=$'\t' read -r name command; do
  log=$out/${name//\//_}
  start=$SECONDS
  GTEST_OUTPUT="json:$log.json" timeout -k 5 900 bash -c "$command" >"$log.log" 2>&1 </dev/null
  status=$?
  if [ $status -eq 0 ]; then verdict=passed; else verdict=failed; fi
  echo "$verdict $name $((SECONDS - start))" >>"$out/results"
  echo "HEDDLE-VM: $verdict $name ($((SECONDS - start)) s)"
  [ $status -eq 0 ] || sed 's/^/HEDDLE-VM:     /' "$log.log" | tail -n 40
done <"$out/tests"
sync
poweroff -f 2>/dev/null
echo o >/proc/sysrq-trigger
sleep 10
