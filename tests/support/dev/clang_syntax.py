"""Reads sources' names (standard input) and has clang look at each, with the build's own flags, for
results that are dropped: g++ 12 is silent about `co_await f();` with a [[nodiscard]] result.

usage: clang_syntax.py BUILD_DIR < names
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

CHECKS = ["-fsyntax-only", "-Wno-everything", "-Werror=unused-result"]


def command_of(entry):
    words = shlex.split(entry["command"])
    while not words[0].endswith(("c++", "g++", "clang++-19")):  # a launcher
        words.pop(0)
    kept, skip = [], False
    for word in words[1:]:
        if skip or word == "-c":
            skip = False
        elif word in ("-o", "-MF", "-MT"):
            skip = True
        elif word != "-MD" and not word.startswith("-W"):
            kept.append(word)
    return ["clang++-19", *kept, *CHECKS]


def look(entry):
    done = subprocess.run(command_of(entry), cwd=entry["directory"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stderr


def main(build):
    root = pathlib.Path.cwd()
    wanted = {str(root / name) for name in sys.stdin.read().split()}
    entries = {}
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        if entry["file"] in wanted:
            entries.setdefault(entry["file"], entry)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for status, text in pool.map(look, entries.values()):
            if status != 0:
                print(text, end="")
                bad += 1
    print(f"{len(entries)} sources with coroutines, {bad} with dropped results")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
