"""Fails when a test was skipped that the committed list does not allow.

usage: skips.py tests/allowed-skips.txt RESULTS_DIR (GoogleTest's JSON reports)
"""
import json
import pathlib
import sys


def allowed_of(text):
    """`Suite.Test  reason`, one a line."""
    names = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        name, _, reason = line.partition(" ")
        if not reason.strip():
            raise SystemExit(f"allowed-skips.txt:{number}: '{name}' has no reason")
        names[name] = reason.strip()
    return names


def skipped_of(folder):
    for report in sorted(pathlib.Path(folder).glob("*.json")):
        for suite in json.loads(report.read_text())["testsuites"]:
            for test in suite["testsuite"]:
                if test.get("result") == "SKIPPED":
                    yield f"{suite['name']}.{test['name']}", report.stem


def main(list_path, folder):
    allowed = allowed_of(pathlib.Path(list_path).read_text())
    bad = 0
    for name, program in skipped_of(folder):
        if name in allowed:
            print(f"skipped, as allowed: {name} ({program}): {allowed[name]}")
        else:
            print(f"skipped, which {list_path} does not allow: {name} ({program})")
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
