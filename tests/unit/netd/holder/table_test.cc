#include "netd/holder/process/table.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace heddle::process {
namespace {

UniqueFd some_fd() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST(Table, RefusesPastItsBoundAndTakesAgainAfterADrop) {
  const auto table = std::make_unique<Table>();
  // Numbers that are no open descriptors: closing them fails quietly.
  const auto fake = [](std::size_t i) { return UniqueFd(static_cast<int>(1'000'000 + i)); };
  for (std::size_t i = 0; i < holder::kMaxKept; ++i)
    ASSERT_TRUE(table->put("n" + std::to_string(i), fake(i)));
  EXPECT_FALSE(table->put("more", fake(9999)));
  EXPECT_TRUE(table->put("n7", fake(10000))) << "replacing needs no place";
  table->drop("n3");
  EXPECT_TRUE(table->put("more", fake(10001)));
  EXPECT_EQ(table->size(), holder::kMaxKept);
}

TEST(Table, WalksOverFreePlaces) {
  const auto table = std::make_unique<Table>();
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(table->put(name, some_fd()));
  table->drop("b");
  EXPECT_EQ(table->next(0), 0u);
  EXPECT_EQ(table->next(1), 2u);
  EXPECT_EQ(table->next(3), holder::kMaxKept);
  table->drop("c");
  table->drop("a");
  EXPECT_EQ(table->next(0), holder::kMaxKept);
  EXPECT_EQ(table->size(), 0u);
}

}  // namespace
}  // namespace heddle::process
