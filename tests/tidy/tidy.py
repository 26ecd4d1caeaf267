"""The rules that hold for the whole tree, as one test. Each check yields Findings; `exceptions.txt`
names the few that are allowed, with the reason.

usage: tidy.py [--root DIR] [--build DIR]   (the build's generated headers and compile commands)
"""
import argparse
import concurrent.futures
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import formatting  # noqa: E402
import headers  # noqa: E402
import layout  # noqa: E402
import sizes  # noqa: E402
import words  # noqa: E402
from tree import Tree  # noqa: E402

CHECKS = [layout.edges, layout.readmes, layout.libraries, sizes.sizes, words.words,
          formatting.formatting, headers.alone]


def read_exceptions(root):
    allowed = {}
    path = root / "tests/tidy/exceptions.txt"
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(None, 2)
        if len(parts) < 3:
            raise SystemExit(f"{path}:{number}: must be `path check reason`")
        allowed[(parts[0], parts[1])] = parts[2]
    return allowed


def run(root, build):
    tree = Tree(root, build)
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        findings = [f for check in CHECKS for f in check(tree, pool)]
    allowed = read_exceptions(root)
    used = {(f.path, f.check) for f in findings} & set(allowed)
    left = [f for f in findings if (f.path, f.check) not in allowed]
    stale = [key for key in allowed if key not in used and (build is not None or key[1] != "alone")]
    return left, stale


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parents[2])
    parser.add_argument("--build", type=pathlib.Path, default=None)
    options = parser.parse_args()
    left, stale = run(options.root.resolve(), options.build and options.build.resolve())
    for finding in left:
        print(finding)
    for path, check in stale:
        print(f"tests/tidy/exceptions.txt: {path} breaks the rule '{check}' no more; take it out")
    print(f"tidy: {len(left) + len(stale)} findings")
    return 1 if left or stale else 0


if __name__ == "__main__":
    sys.exit(main())
