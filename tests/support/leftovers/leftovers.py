#!/usr/bin/env python3
"""What Heddle could leave on a machine: list it, or run a command and compare before and after.

  leftovers.py                    prints what is there now
  leftovers.py -- COMMAND...      exits 1, naming the difference, if it left or took anything
  leftovers.py --of RUN STATE CGROUP [KEPT...]
                                  exits 1, naming it, if anything is there of the daemon with this
                                  run directory, state directory and cgroup, seen from its network
                                  namespace; cgroups in KEPT are somebody else's
"""
import json
import os
import subprocess
import sys
import time


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def links():
    return {f"link {line.split(':')[1].strip()}" for line in output("ip", "-o", "link")}


def routes():
    return {f"route {line.strip()}" for family in ("-4", "-6")
            for line in output("ip", family, "route", "show", "table", "all")
            if "expires" not in line}


def addresses():
    return {f"address {' '.join(line.split()[1:4])}" for line in output("ip", "-o", "addr")}


def namespaces():
    """Named by inode. A namespace that only a dying kernel structure holds is not seen here."""
    found = set()
    for pid in (p for p in os.listdir("/proc") if p.isdigit()):
        for kind in ("net", "mnt", "uts"):
            try:
                found.add(f"namespace {os.readlink(f'/proc/{pid}/ns/{kind}')}")
            except OSError:
                pass
    return found


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        return {f"mount {line.split()[4]} {line.split(' - ')[1].split()[0]}" for line in table}


def nftables():
    return {f"nft {line}" for line in output("nft", "list", "tables")}


def bpf_links():
    """Programs attached to a cgroup or a namespace. Loaded ones die with their last holder."""
    try:
        return {f"bpf link {link['type']} {link.get('cgroup_id', '')} {link.get('id')}"
                for link in json.loads("\n".join(output("bpftool", "-j", "link")) or "[]")}
    except (ValueError, KeyError):
        return set()


def cgroups():
    found = set()
    for root in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if not os.path.exists(f"{root}/cgroup.controllers"):
            continue
        for path, _, _ in os.walk(root):
            if "heddle" in path:
                found.add(f"cgroup {path}")
        break
    return found


OUR_PROGRAMS = ("heddle", "etcd", "nginx")
PLACES = ("/run/heddle", "/var/lib/heddle", "heddle-lab-", "heddle-labs-")


def cgroup_of(pid):
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as table:
            return next((line[3:].strip() for line in table if line.startswith("0::")), "")
    except OSError:
        return ""


def processes():
    """Ours by name, and nobody's child of ours: zombies that init has yet to reap are left out."""
    found = set()
    for pid in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                text = stat.read()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        state = text[text.rindex(")") + 2]
        if state != "Z" and name.startswith(OUR_PROGRAMS):
            found.add(f"process {pid} {name} {cgroup_of(pid)}")
    return found


def files():
    found = set()
    for root in ("/run/heddle", "/var/lib/heddle", "/tmp"):
        for path, dirs, names in os.walk(root):
            if root == "/tmp" and path == "/tmp":
                dirs[:] = [d for d in dirs if d.startswith("heddle")]
                names = [n for n in names if n.startswith("heddle")]
            elif root != "/tmp" or path != root:
                found.add(f"directory {path}")
            found.update(f"file {path}/{name}" for name in names)
    return found


KINDS = (links, routes, addresses, namespaces, mounts, nftables, bpf_links, cgroups, processes,
         files)


def snapshot():
    return set().union(*(kind() for kind in KINDS))


OUR_GROUP = 0x4844  # upper half of the IFLA_GROUP of our links
OUR_PROTOCOL = "72"  # of our addresses and routes


def json_of(*command):
    try:
        return json.loads("\n".join(output(*command)) or "[]")
    except ValueError:
        return []


def marked_in_this_namespace():
    """Links, routes, filters and tables that carry our mark, whoever's of several daemons'."""
    for link in json_of("ip", "-j", "link"):
        name, group = link["ifname"], str(link.get("group", ""))
        if group.isdigit() and int(group) >> 16 == OUR_GROUP:
            yield f"link {name}"
        qdiscs = json_of("tc", "-j", "qdisc", "show", "dev", name)
        if any(qdisc.get("kind") == "clsact" for qdisc in qdiscs):
            yield f"clsact {name}"
    for family in ("-4", "-6"):
        for route in json_of("ip", family, "-j", "route", "show", "table", "all", "proto",
                             OUR_PROTOCOL):
            yield f"route {route.get('dst')} dev {route.get('dev')}"
    for line in output("nft", "list", "tables"):
        if line.split()[-1].startswith("heddle"):
            yield f"nft {line}"


def cgroups_of(cgroup, kept):
    """Its directories, apart from those that lead to `kept` or lie below it."""
    for path, _, _ in os.walk(cgroup):
        if not any(f"{k}/".startswith(f"{path}/") or f"{path}/".startswith(f"{k}/") for k in kept):
            yield path


def of_daemon(run, state, cgroup, kept):
    mount = next(r for r in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
                 if cgroup.startswith(f"{r}/"))
    kept = kept + [mount + cgroup_of("self")]
    places = list(cgroups_of(cgroup, kept))
    yield from (f"cgroup {path}" for path in places)
    identities = {os.stat(path).st_ino: path for path, _, _ in os.walk(cgroup)}
    for link in json_of("bpftool", "-j", "link"):
        if link.get("cgroup_id") in identities:
            yield f"bpf link {link['id']} {link.get('attach_type')} on a cgroup"
    ancestors = ancestors_of(os.getpid())
    for pid in (p for p in os.listdir("/proc") if p.isdigit() and int(p) not in ancestors):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as line:
                command = line.read().split("\0")
            with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as table:
                targets = {line.split()[4] for line in table}
        except OSError:
            continue
        if mount + cgroup_of(pid) in places or any(run in word for word in command):
            yield f"process {pid} {' '.join(command)}"
        yield from (f"mount {t}" for t in targets if f"{t}/".startswith(f"{run}/"))
    for root in (run, state):
        for path, _, names in os.walk(root):
            yield f"directory {path}"
            yield from (f"file {path}/{name}" for name in names)
    yield from marked_in_this_namespace()


def ancestors_of(pid):
    found = set()
    while pid:
        found.add(pid)
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            pid = int(stat.read().rpartition(")")[2].split()[1])
    return found


def main():
    if len(sys.argv) >= 5 and sys.argv[1] == "--of":
        run, state, cgroup, *kept = sys.argv[2:]
        found = sorted(set(of_daemon(run, state, cgroup, kept)))
        print("\n".join(found) or "nothing is there")
        return 1 if found else 0
    if len(sys.argv) < 3 or sys.argv[1] != "--":
        print("\n".join(sorted(snapshot())))
        return 0
    before = snapshot()
    done = subprocess.run(sys.argv[2:], check=False)
    # The kernel takes namespaces and links apart after the fact; give it a moment.
    deadline = time.monotonic() + 5
    while True:
        after = snapshot()
        left = sorted(item for item in after - before if ours(item))
        gone = sorted(item for item in before - after
                      if ours(item) and not item.startswith(("namespace", "process")))
        if not (left or gone) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    for item in left:
        print(f"leftovers: LEFT BEHIND: {item}", file=sys.stderr)
    for item in gone:
        print(f"leftovers: TAKEN AWAY: {item}", file=sys.stderr)
    if left or gone:
        return done.returncode or 1
    return done.returncode


def ours(item):
    """Whether a difference counts. On a machine where other tests run at the same time, only what
    is of a lab, or of the machine's own Heddle, or in the machine's own network; with
    HEDDLE_LEFTOVERS_STRICT, for a machine where nothing else runs, everything."""
    if os.environ.get("HEDDLE_LEFTOVERS_STRICT"):
        return True
    kind, name = item.split(" ", 1)
    if kind in ("link", "route", "address", "nft"):
        return True
    return any(place in name for place in PLACES)


if __name__ == "__main__":
    sys.exit(main())
