#include "ctl/cmd/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace heddle::cmd {
namespace {

// With HEDDLE_UPDATE_DOCS=1 the file is written instead.
TEST(Reference, TheDocumentIsWhatTheProgramSays) {
  constexpr const char* kPath = "docs/cli.md";  // tests run at the root of the work tree
  if (std::getenv("HEDDLE_UPDATE_DOCS") != nullptr) std::ofstream(kPath) << reference();
  std::ifstream file(kPath);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), reference())
      << "run HEDDLE_UPDATE_DOCS=1 build/release/tests/tests_unit_ctl_cmd";
}

}  // namespace
}  // namespace heddle::cmd
