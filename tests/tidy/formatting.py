"""clang-format over C++; the eBPF sources follow the kernel's style and are left alone."""
import re
import shutil
import subprocess

from tree import Finding

WARNING = re.compile(r"^(.+?):(\d+):\d+: error: code should be clang-formatted")


def check(tree, files):
    done = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *files], cwd=tree.root,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = {}
    for line in done.stderr.splitlines():
        match = WARNING.match(line)
        if match:
            found.setdefault(match[1], int(match[2]))
    return found


def formatting(tree, pool):
    if shutil.which("clang-format-19") is None:
        yield Finding("packages.txt", 1, "format", "clang-format-19 is not installed")
        return
    files = [f for f in tree.cxx if not f.startswith("ebpf/")]
    batches = [files[i:i + 40] for i in range(0, len(files), 40)]
    for found in pool.map(lambda batch: check(tree, batch), batches):
        for path, line in found.items():
            yield Finding(path, line, "format", "run clang-format-19 -i on it")
