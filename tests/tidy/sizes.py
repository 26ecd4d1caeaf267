"""Sizes: columns, lines of a file, lines of a function."""
from tree import Finding

COLUMNS = 100
FILE_LINES = 600
FUNCTION_LINES = 80  # "about 70"


def width(line):
    return len(line.expandtabs(8))


def functions(lines):
    """(first line, length) of each brace block that ends at the indentation it began at. The text
    is clang-format's or the kernel's, so that a block ends with a lone brace. Namespaces end with
    a comment, types with `};`: both are left out."""
    for end, line in enumerate(lines):
        body = line.rstrip()
        indent = len(body) - len(body.lstrip())
        if body.lstrip() != "}" or indent > 2 or "\t" in body:
            continue
        for start in range(end - 1, -1, -1):
            before = lines[start]
            if not before.strip() or len(before) - len(before.lstrip()) > indent:
                continue
            if before.lstrip().startswith(("//", "#", "public:", "private:", "protected:", ")")):
                continue
            if before.strip() == "{":
                continue
            yield start + 1, end - start + 1
            break


def sizes(tree, _pool):
    for path in tree.code:
        lines = tree.text(path).splitlines()
        if len(lines) > FILE_LINES:
            yield Finding(path, FILE_LINES + 1, "size",
                          f"{len(lines)} lines; {FILE_LINES} are allowed")
        for number, line in enumerate(lines, 1):
            if width(line) > COLUMNS and "http" not in line:
                yield Finding(path, number, "width",
                              f"{width(line)} columns; {COLUMNS} are allowed")
        if not path.endswith((".cc", ".h", ".c")):
            continue
        for start, length in functions(lines):
            if length > FUNCTION_LINES:
                yield Finding(path, start, "size",
                              f"a function of {length} lines; {FUNCTION_LINES} are allowed")
