#include "ctl/cmd/progress_bar.h"

#include <gtest/gtest.h>

#include <sstream>

namespace heddle::cmd {
namespace {

TEST(ProgressBar, SaysHowMuchIsDone) {
  EXPECT_EQ(format_bar({.done = 0, .total = 3, .what = ""}, 80),
            "  [..............................] 0/3  ");
  EXPECT_EQ(format_bar({.done = 2, .total = 3, .what = "h2"}, 80),
            "  [####################..........] 2/3  h2");
  EXPECT_EQ(format_bar({.done = 9, .total = 3, .what = "h2"}, 80),
            "  [##############################] 3/3  h2");
}

TEST(ProgressBar, NeverWrapsNorMovesTheCursor) {
  EXPECT_EQ(format_bar({.done = 1, .total = 2, .what = "a\x1b[2J"}, 200).find('\x1b'),
            std::string::npos);
  for (const std::size_t columns : {0U, 1U, 20U, 41U})
    EXPECT_LT(format_bar({.done = 1, .total = 2, .what = "a long name"}, columns).size(),
              std::max<std::size_t>(columns, 1));
}

TEST(ProgressBar, IsGoneBeforeAnythingElseIsPrinted) {
  std::ostringstream out;
  {
    ProgressBar bar(out);
    bar.clear();
    EXPECT_EQ(out.str(), "");
    bar.show({.done = 1, .total = 2, .what = "h1"});
  }
  EXPECT_TRUE(out.str().ends_with("h1\r\x1b[K"));
}

}  // namespace
}  // namespace heddle::cmd
