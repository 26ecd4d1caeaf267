"""Where things live: include edges, READMEs, foreign types in headers."""
import os
import re

from tree import Finding

README_LINES = 40

# Headers of libraries whose types stay out of ours.
FOREIGN = re.compile(r"^(google/protobuf/|grpc|netlink/|bpf/|openssl/|sqlite3|nghttp2/|nftables/|ldns/"
                     r"|yaml-cpp/|CLI/|.*\.(grpc\.)?pb\.h$|.*\.skel\.h$)")


def read_edges(text):
    edges = {}
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        if line:
            folder, _, allowed = line.partition(":")
            edges[folder.strip()] = allowed.split()
    return edges


def within(folder, parent):
    return folder == parent or folder.startswith(parent + "/")


def rule_of(folder, edges):
    while folder not in edges and "/" in folder:
        folder = folder.rsplit("/", 1)[0]
    return folder if folder in edges else None


def edges(tree, _pool):
    table = read_edges(tree.text("tests/tidy/edges.txt"))
    for path in tree.cxx + [f for f in tree.code if f.endswith(".c")]:
        if not tree.is_product(path) or path.endswith("/main.cc"):
            continue
        folder = os.path.dirname(path)
        rule = rule_of(folder, table)
        if rule is None:
            yield Finding(path, 1, "edge", f"{folder} is not in tests/tidy/edges.txt")
            continue
        for line, name, ours in tree.includes(path):
            if not ours or name == "vmlinux.h":
                continue
            target = os.path.dirname(name)
            if not target:
                yield Finding(path, line, "edge",
                              f'"{name}": include from the root, as "{folder}/{name}"')
            elif not (within(target, rule) or
                      (within(target, "common") and not within(rule, "common")) or
                      any(within(target, to) for to in table[rule])):
                yield Finding(path, line, "edge", f'{rule} may not include "{name}"')


def readmes(tree, _pool):
    """A folder with sources is a library or program and says what it is."""
    folders = {os.path.dirname(f) for f in tree.cxx
               if tree.is_product(f) and f.endswith(".cc") and not f.endswith("/main.cc")}
    for folder in sorted(folders):
        path = folder + "/README.md"
        if path not in tree.files:
            yield Finding(path, 1, "readme",
                          "is missing: what it owns, what it may include, on which threads")
        elif len(tree.text(path).splitlines()) > README_LINES:
            yield Finding(path, README_LINES + 1, "readme", f"more than {README_LINES} lines")


def public_headers(tree):
    """Those that another folder includes, and what they include themselves."""
    public = set()
    waiting = [name for path in tree.cxx if tree.is_product(path)
               for _line, name, ours in tree.includes(path)
               if ours and os.path.dirname(name) != os.path.dirname(path)]
    while waiting:
        header = waiting.pop()
        if header in public or header not in tree.files or within(header, "ebpf"):
            continue
        public.add(header)
        waiting += [name for _line, name, ours in tree.includes(header) if ours]
    return public


def libraries(tree, _pool):
    """Libraries' types stay out of public headers; a header of one folder alone may have them."""
    for path in sorted(public_headers(tree)):
        for line, name, _ours in tree.includes(path):
            if FOREIGN.match(name):
                yield Finding(path, line, "library",
                              f"{name} in a public header: keep its types inside the folder")
