"""Each check catches the defect that it is there for: a small tree with one defect each, and the
same tree without."""
import concurrent.futures
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import formatting  # noqa: E402
import headers  # noqa: E402
import layout  # noqa: E402
import sizes  # noqa: E402
import tidy  # noqa: E402
import words  # noqa: E402
from tree import Tree  # noqa: E402

EDGES = "netd/model:\nnetd/driver: netd/model\nnetd/server: netd/model\n"
HEADER = "#pragma once\nnamespace heddle {\nint f();\n}  // namespace heddle\n"
SOURCE = """#include "netd/model/a.h"

namespace heddle {
int f() {
  return 1;
}
}  // namespace heddle
"""


class Seeded(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="heddle-tidy-"))
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copy(pathlib.Path(__file__).parents[2] / ".clang-format", self.root)
        self.put("tests/tidy/edges.txt", EDGES)
        self.put("netd/model/a.h", HEADER)
        self.put("netd/model/a.cc", SOURCE)
        self.put("netd/model/README.md", "# netd/model\n")

    def put(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def found(self, check, build=None):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return [str(finding) for finding in check(Tree(self.root, build), pool)]

    def expect(self, check, start, build=None):
        found = self.found(check, build)
        self.assertTrue(any(text.startswith(start) for text in found), f"{start} not in {found}")

    def test_a_clean_tree_has_no_findings(self):
        for check in (layout.edges, layout.readmes, layout.libraries, sizes.sizes, words.words,
                      formatting.formatting):
            self.assertEqual(self.found(check), [], check.__name__)

    def test_an_edge_that_the_table_does_not_have(self):
        self.put("netd/model/a.cc", SOURCE.replace("\n\n", '\n#include "netd/driver/b.h"\n\n', 1))
        self.expect(layout.edges, "netd/model/a.cc:2: netd/model may not include")

    def test_a_folder_that_the_table_does_not_have(self):
        self.put("netd/new/a.cc", "")
        self.expect(layout.edges, "netd/new/a.cc:1: netd/new is not in")

    def test_an_include_that_does_not_start_at_the_root(self):
        self.put("netd/model/a.cc", '#include "a.h"\n')
        self.expect(layout.edges, 'netd/model/a.cc:1: "a.h": include from the root')

    def test_a_main_may_include_all(self):
        self.put("netd/server/main.cc", '#include "netd/driver/b.h"\n')
        self.assertEqual(self.found(layout.edges), [])

    def test_a_library_without_readme_or_with_a_long_one(self):
        self.put("netd/driver/b.cc", "")
        self.put("netd/model/README.md", "line\n" * 41)
        self.expect(layout.readmes, "netd/driver/README.md:1: is missing")
        self.expect(layout.readmes, "netd/model/README.md:41: more than 40")

    def test_a_librarys_type_in_a_header(self):
        for name in ("openssl/evp.h", "netlink/msg.h", "bpf/bpf.h", "google/protobuf/message.h",
                     "sqlite3.h"):
            self.put("netd/model/a.h", f"#pragma once\n#include <{name}>\n")
            self.assertEqual(self.found(layout.libraries), [], "inside the folder it may")
            self.put("netd/driver/b.h", '#pragma once\n#include "netd/model/a.h"\n')
            self.expect(layout.libraries, f"netd/model/a.h:2: {name} in a public header")
            (self.root / "netd/driver/b.h").unlink()

    def test_long_lines_files_and_functions(self):
        self.put("netd/model/long.cc", "// " + "x" * 98 + "\n" * 601)
        self.expect(sizes.sizes, "netd/model/long.cc:601: 601 lines")
        self.expect(sizes.sizes, "netd/model/long.cc:1: 101 columns")
        body = "".join(f"  a({i});\n" for i in range(80))
        self.put("netd/model/f.cc", "namespace x {\n\nint f(int a,\n      int b) {\n" + body +
                 "}\n\n}  // namespace x\n")
        self.expect(sizes.sizes, "netd/model/f.cc:3: a function of 83 lines")
        inner = body.replace("  a(", "    a(")
        self.put("netd/model/f.cc", f"class A {{\n public:\n  int f() {{\n{inner}  }}\n}};\n")
        self.expect(sizes.sizes, "netd/model/f.cc:3: a function of 82 lines")

    def test_words(self):
        for text, advice in (("int f() { throw 1; }\n", "our code throws nothing"),
                             ("void g() { spawn(asio::detached); }\n", "every task belongs"),
                             ("  if (a && !co_await f()) return;\n", "g++ 12 destroys a task"),
                             ("// TODO: later\n", "a TODO carries"),
                             ("int x;  // NOLINT\n", "NOLINT(check)")):
            self.put("netd/model/w.cc", text)
            self.expect(words.words, "netd/model/w.cc:1: " + advice)
        for text in ('const char* s = "throw";  // throws nothing\n', "// TODO(kernel 6.6): tcx\n",
                     "int x;  // NOLINT(foo-bar): the kernel's name\n"):
            self.put("netd/model/w.cc", text)
            self.assertEqual(self.found(words.words), [])

    def test_names_headers_and_sleeping_unit_tests(self):
        self.put("netd/model/utils.cc", "")
        self.expect(words.words, "netd/model/utils.cc:1: name the file")
        self.put("netd/model/b.h", "int f();\n")
        self.expect(words.words, "netd/model/b.h:1: a header starts")
        self.put("tests/unit/a_test.cc", "void f() { std::this_thread::sleep_for(a); }\n")
        self.expect(words.words, "tests/unit/a_test.cc:1: unit tests do not sleep")

    def test_format(self):
        self.put("netd/model/a.cc", SOURCE.replace("  return 1;", "     return 1;"))
        self.expect(formatting.formatting, "netd/model/a.cc:4: run clang-format")

    def test_a_header_that_does_not_compile_alone(self):
        build = self.root / "build"
        self.put("netd/model/alone.h", "#pragma once\nstd::string f();\n")
        self.put("netd/model/a.h", "#pragma once\nnot cplusplus;\n")  # its .cc proves it
        self.assertEqual([text.split(":", 1)[0] for text in self.found(headers.alone, build)],
                         ["netd/model/alone.h"])
        self.put("netd/model/alone.h", "#pragma once\n#include <string>\nstd::string f();\n")
        self.assertEqual(self.found(headers.alone, build), [])

    def test_exceptions_need_a_reason_and_must_be_used(self):
        self.put("tests/tidy/exceptions.txt", "netd/model/a.cc edge\n")
        self.assertRaises(SystemExit, tidy.run, self.root, None)
        self.put("tests/tidy/exceptions.txt", "netd/model/a.cc edge because\n")
        self.assertEqual(tidy.run(self.root, None), ([], [("netd/model/a.cc", "edge")]))
        self.put("netd/model/a.cc", '#include "a.h"\n')
        self.assertEqual(tidy.run(self.root, None), ([], []))


if __name__ == "__main__":
    unittest.main()
