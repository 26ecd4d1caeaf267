#include "proxy/io/read_buffer.h"

#include <gtest/gtest.h>

#include <cstring>

namespace heddle::io {
namespace {

void put(ReadBuffer& buffer, std::string_view bytes) {
  const auto room = buffer.prepare(bytes.size());
  std::memcpy(room.data(), bytes.data(), bytes.size());
  buffer.commit(bytes.size());
}

TEST(ReadBuffer, KeepsOrderWhileItGrowsAndIsConsumed) {
  ReadBuffer buffer;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string piece = std::to_string(i) + ";";
    put(buffer, piece);
    expected += piece;
    if (i % 3 == 0) {
      const std::size_t n = std::min<std::size_t>(7, expected.size());
      EXPECT_EQ(buffer.view().substr(0, n), expected.substr(0, n));
      buffer.consume(n);
      expected.erase(0, n);
    }
  }
  EXPECT_EQ(buffer.view(), expected);
  buffer.consume(buffer.size());
  EXPECT_TRUE(buffer.empty());
  buffer.release();
  put(buffer, "again");
  EXPECT_EQ(buffer.view(), "again");
}

}  // namespace
}  // namespace heddle::io
