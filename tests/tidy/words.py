"""Words and constructs that the house does without."""
import os
import re

from tree import Finding

COMMENT = re.compile(r"//.*$")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

# (pattern, where, what to do). `code` is without comments and strings; `text` is all.
RULES = [
    ("code", re.compile(r"\bthrow\b"), "product", "our code throws nothing: return a Result"),
    ("code", re.compile(r"\basio::detached\b"), "all", "every task belongs to a TaskGroup"),
    ("code", re.compile(r"(&&|\|\|)\s*!?\s*\(?\s*co_await\b"), "all",
     "g++ 12 destroys a task twice that is awaited behind && or ||: await it in a statement"),
    ("code", re.compile(r"^\s*using namespace\b"), "header", "no using-directives in headers"),
    ("code", re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|\bsleep\("), "unit",
     "unit tests do not sleep"),
    ("text", re.compile(r"\b(TODO|FIXME|XXX)\b(?!\([^)]+\))"), "product",
     "a TODO carries its trigger: TODO(when ...)"),
    ("text", re.compile(r"\bNOLINT\b(?!\w*\([^)]+\):? \S)"), "all", "NOLINT(check) and the reason"),
    ("text", re.compile(r"(/home|/work)/\w"), "all", "a path of one machine"),
]

BAD_NOUNS = {"utils", "util", "helpers", "helper", "misc", "manager", "common"}


def applies(where, path, tree):
    return {"all": True, "product": tree.is_product(path), "header": path.endswith(".h"),
            "unit": path.startswith("tests/unit/")}[where]


def words(tree, _pool):
    for path in tree.cxx:
        if os.path.splitext(os.path.basename(path))[0] in BAD_NOUNS:
            yield Finding(path, 1, "words", "name the file after the noun that it defines")
        if path.endswith(".h") and "#pragma once" not in tree.text(path):
            yield Finding(path, 1, "words", "a header starts with #pragma once")
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            code = COMMENT.sub("", STRING.sub('""', line))
            for kind, pattern, where, advice in RULES:
                if applies(where, path, tree) and pattern.search(code if kind == "code" else line):
                    yield Finding(path, number, "words", advice)
