"""The files of the work tree, and what a finding about one is."""
import dataclasses
import functools
import re

SOURCE_FOLDERS = ("common", "ebpf", "dataplane", "netd", "proxy", "ctl", "topologies")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Finding:
    path: str
    line: int
    check: str
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text} [{self.check}]"


class Tree:
    """Reads each file once. Paths are relative to the root, as strings."""

    def __init__(self, root, build):
        self.root = root
        self.build = build

    @functools.cached_property
    def files(self):
        found = []
        for folder in SOURCE_FOLDERS + ("tests",):
            for path in sorted((self.root / folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    found.append(str(path.relative_to(self.root)))
        return found

    @functools.cached_property
    def cxx(self):
        return [f for f in self.files if f.endswith((".cc", ".h"))]

    @functools.cached_property
    def code(self):
        return [f for f in self.files if f.endswith((".cc", ".h", ".c", ".py", ".sh", ".proto"))]

    @functools.lru_cache(maxsize=None)
    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8")

    @functools.lru_cache(maxsize=None)
    def includes(self, path):
        """(line, name, is ours in quotes) of each #include."""
        found = []
        for number, line in enumerate(self.text(path).splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                found.append((number, match[1] or match[2], match[1] is not None))
        return found

    def is_product(self, path):
        return path.split("/", 1)[0] in SOURCE_FOLDERS
