"""Picks tests of ctest's JSON list (standard input) and prints `NAME<tab>COMMAND` for each.

usage: vm_tests.py [--short] [NAME...]

Without names: all that need a kernel (labels bpf and netns). --short: every BPF object loads, and
the paths of bridge and overlay. NAMEs are regular expressions over the tests' names.
"""
import json
import re
import shlex
import sys

SHORT = re.compile(r"^tests/(bpf/(overlay|programs)|netns/(bridge_path|overlay_nodes))$")
KERNEL_LABELS = {"bpf", "netns"}


def labels_of(test):
    for entry in test.get("properties", []):
        if entry["name"] == "LABELS":
            return set(entry["value"])
    return set()


def main(arguments):
    short = "--short" in arguments
    names = [re.compile(a) for a in arguments if a != "--short"]
    for test in json.load(sys.stdin)["tests"]:
        if names:
            wanted = any(name.search(test["name"]) for name in names)
        elif short:
            wanted = SHORT.search(test["name"])
        else:
            wanted = labels_of(test) & KERNEL_LABELS
        if wanted and "command" in test:
            print(test["name"] + "\t" + shlex.join(test["command"]))


if __name__ == "__main__":
    main(sys.argv[1:])
