#!/bin/busybox sh
# First process of the virtual machine: reaches the shared root, puts a tmpfs over it, goes there.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
if grep -q heddle.probe /proc/cmdline; then
  echo HEDDLE-VM-PROBE
  poweroff -f
fi
argument() { tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"; }
while read -r module; do insmod "/modules/$module" || echo "HEDDLE-VM: no module $module"; done \
  </modules/list
mount -t tmpfs -o size=80% tmpfs /upper
mkdir /upper/data /upper/work
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 host /lower &&
  mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /root || {
  echo "HEDDLE-VM: the shared root file system cannot be mounted"
  poweroff -f
}
for folder in tmp run var/lib/heddle; do
  mkdir -p "/root/$folder"
  mount -t tmpfs tmpfs "/root/$folder"
done
chmod 1777 /root/tmp
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
mkdir -p /root/run/heddle-vm /root/dev/pts /root/dev/shm
mount -t devpts devpts /root/dev/pts
mount -t tmpfs tmpfs /root/dev/shm
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
mount -t bpf bpf /root/sys/fs/bpf
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /root/run/heddle-vm
home=$(sed -n 's/.*heddle.root=\([^ ]*\).*/\1/p' /root/proc/cmdline)
exec switch_root /root /bin/bash "$home/tests/support/dev/vm_guest.sh"
