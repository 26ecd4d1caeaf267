#include "ctl/output/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace heddle::output {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCellAndLinesHaveNoTail) {
  Table table({"ID", "NAME"});
  table.add({"1", "long name"});
  table.add({"22", ""});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(),
            "ID   NAME\n"
            "1    long name\n"
            "22   -\n");
}

TEST(Table, WidthCountsCharactersNotBytes) {
  Table table({"NAME", "X"});
  table.add({"gr\u00fc\u00dfe", "1"});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(), "NAME    X\ngr\u00fc\u00dfe   1\n");
}

TEST(Table, ForeignTextCannotMoveTheCursor) {
  EXPECT_EQ(printable("a\x1b[2Jb\n"), "a\\x1b[2Jb\\x0a");
}

TEST(Details, ValuesOfOneKeyAreUnderEachOther) {
  Details details;
  details.add("Name", std::string("app"));
  details.add("Subnets", std::vector<std::string>{"a", "b"});
  details.add("Device", std::string());
  std::ostringstream out;
  details.print(out);
  EXPECT_EQ(out.str(),
            "Name:     app\n"
            "Subnets:  a\n"
            "          b\n"
            "Device:   -\n");
}

}  // namespace
}  // namespace heddle::output
