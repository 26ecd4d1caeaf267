#include "topologies/engine/capture/pcapng.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace heddle::capture {
namespace {

struct Block {
  std::uint32_t type = 0;
  std::string body;
};

template <class T>
T number_at(const std::string& bytes, std::size_t at) {
  T value{};
  EXPECT_LE(at + sizeof value, bytes.size());
  if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// As a reader walks over a file: each block has its length at both ends, a multiple of four.
std::vector<Block> blocks_of(const std::string& file) {
  std::vector<Block> out;
  for (std::size_t at = 0; at < file.size();) {
    const auto length = number_at<std::uint32_t>(file, at + 4);
    EXPECT_EQ(length % 4, 0U);
    EXPECT_GE(length, 12U);
    if (length < 12 || at + length > file.size()) {
      ADD_FAILURE() << "a block ends behind the file";
      return out;
    }
    EXPECT_EQ(number_at<std::uint32_t>(file, at + length - 4), length);
    out.push_back({number_at<std::uint32_t>(file, at), file.substr(at + 8, length - 12)});
    at += length;
  }
  return out;
}

// The options from `at` on, by their code.
std::string option(const std::string& body, std::size_t at, std::uint16_t wanted) {
  while (at + 4 <= body.size()) {
    const auto code = number_at<std::uint16_t>(body, at);
    const auto length = number_at<std::uint16_t>(body, at + 2);
    if (code == wanted) return body.substr(at + 4, length);
    if (code == 0) break;
    at += 4 + (length + 3U) / 4 * 4;
  }
  return "absent";
}

TEST(Pcapng, AFileStartsWithASectionAndAnInterface) {
  const auto blocks = blocks_of(format_header({.name = "h1:eth0", .link_type = 1, .snaplen = 96}));
  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_EQ(blocks[0].type, 0x0a0d0d0aU);
  EXPECT_EQ(number_at<std::uint32_t>(blocks[0].body, 0), 0x1a2b3c4dU);
  EXPECT_EQ(number_at<std::uint16_t>(blocks[0].body, 4), 1);
  EXPECT_EQ(number_at<std::uint64_t>(blocks[0].body, 8), ~0ULL);
  EXPECT_EQ(blocks[1].type, 1U);
  EXPECT_EQ(number_at<std::uint16_t>(blocks[1].body, 0), 1);
  EXPECT_EQ(number_at<std::uint32_t>(blocks[1].body, 4), 96U);
  EXPECT_EQ(option(blocks[1].body, 8, 2), "h1:eth0");
  EXPECT_EQ(option(blocks[1].body, 8, 9), "\x09");  // nanoseconds
}

TEST(Pcapng, PacketsKeepTheirTimeLengthAndBytes) {
  for (std::size_t size = 0; size < 9; ++size) {
    const std::vector<std::uint8_t> bytes(size, 0xab);
    std::string out;
    append_packet(out, {.time_ns = 0x0123456789abcdefULL,
                        .direction = Direction::outbound,
                        .length = 1500,
                        .bytes = bytes});
    const auto blocks = blocks_of(out);
    ASSERT_EQ(blocks.size(), 1U);
    const std::string& body = blocks[0].body;
    EXPECT_EQ(blocks[0].type, 6U);
    EXPECT_EQ(number_at<std::uint32_t>(body, 4), 0x01234567U);
    EXPECT_EQ(number_at<std::uint32_t>(body, 8), 0x89abcdefU);
    EXPECT_EQ(number_at<std::uint32_t>(body, 12), size);
    EXPECT_EQ(number_at<std::uint32_t>(body, 16), 1500U);
    EXPECT_EQ(body.substr(20, size), std::string(size, '\xab'));
    EXPECT_EQ(option(body, 20 + (size + 3) / 4 * 4, 2), std::string("\x02\0\0\0", 4));
  }
}

TEST(Pcapng, TotalsSayWhatWasLost) {
  const auto blocks =
      blocks_of(format_totals({.start_ns = 1, .end_ns = 2, .received = 7, .dropped = 3}));
  ASSERT_EQ(blocks.size(), 1U);
  EXPECT_EQ(blocks[0].type, 5U);
  EXPECT_EQ(number_at<std::uint64_t>(option(blocks[0].body, 12, 4), 0), 7U);
  EXPECT_EQ(number_at<std::uint64_t>(option(blocks[0].body, 12, 5), 0), 3U);
  EXPECT_EQ(number_at<std::uint32_t>(option(blocks[0].body, 12, 3), 4), 2U);  // the lower half
}

}  // namespace
}  // namespace heddle::capture
