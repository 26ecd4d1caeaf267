"""Every header compiles alone. One that its own .cc includes first is proved by the build; the
others (interfaces, values, templates) are compiled here, each in a translation unit of its own. A
header that passed is not tried again until it or something that it includes has changed."""
import hashlib
import os
import subprocess

from tree import Finding

PACKAGES = ["libnl-3.0", "libnl-route-3.0", "libbpf", "libnftables", "libnghttp2", "libsystemd"]


def proved_by_build(tree, header):
    source = header[:-2] + ".cc"
    if source not in tree.files:
        return False
    includes = tree.includes(source)
    return bool(includes) and includes[0][1] == header


def fingerprint(tree, header, flags):
    """Of the header and all of ours that it reaches."""
    seen, waiting = set(), [header]
    while waiting:
        path = waiting.pop()
        if path in seen or path not in tree.files:
            continue
        seen.add(path)
        waiting += [name for _line, name, ours in tree.includes(path) if ours]
    digest = hashlib.sha256(" ".join(flags).encode())
    for path in sorted(seen):
        digest.update(path.encode() + b"\0" + tree.text(path).encode() + b"\0")
    return digest.hexdigest()


def flags_of(tree):
    found = subprocess.run(["pkg-config", "--cflags", *PACKAGES], capture_output=True, text=True,
                           check=False).stdout.split()
    return ["-std=c++23", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fsyntax-only",
            "-Wno-missing-field-initializers",  # as in the build
            "-DBOOST_ASIO_NO_DEPRECATED", "-DBOOST_ASIO_HAS_CO_AWAIT", '-DHEDDLE_VERSION="0"',
            f"-I{tree.root}", "-isystem", f"{tree.build}/gen", *found]


def compile_alone(tree, header, flags):
    language = "c" if header.startswith("ebpf/lib/") else "c++"
    done = subprocess.run([os.environ.get("CXX", "g++"), *flags, "-x", language, "-"],
                          cwd=tree.root, input=f'#include "{header}"\n', capture_output=True,
                          text=True, check=False)
    return done.returncode, done.stderr


def alone(tree, pool):
    if tree.build is None:
        return
    flags = flags_of(tree)
    cache = tree.build / "tidy-cache"
    cache.mkdir(parents=True, exist_ok=True)
    # ebpf/lib is for BPF programs, which are compiled for another machine with another compiler.
    todo = [h for h in tree.cxx if h.endswith(".h") and not h.startswith("ebpf/lib/")
            and not proved_by_build(tree, h)]
    stamps = {h: cache / fingerprint(tree, h, flags) for h in todo}
    todo = [h for h in todo if not stamps[h].exists()]
    results = pool.map(lambda h: compile_alone(tree, h, flags), todo)
    for header, (status, text) in zip(todo, results):
        if status == 0:
            stamps[header].touch()
        else:
            first = next((line for line in text.splitlines() if "error" in line), text.strip())
            yield Finding(header, 1, "alone", f"does not compile alone: {first}")
