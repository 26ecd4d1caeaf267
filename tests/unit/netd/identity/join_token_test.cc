#include "netd/identity/join_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace heddle::identity {
namespace {

using testing::HasSubstr;

JoinToken sample() {
  JoinToken token;
  for (std::size_t i = 0; i < token.root.size(); ++i) {
    token.root[i] = static_cast<std::uint8_t>(i * 7);
  }
  token.secret = "abcdefghijklmnopqrstuvwxyz234567";
  return token;
}

std::string error_of(std::string_view text) {
  const auto parsed = parse_token(text);
  EXPECT_FALSE(parsed) << text;
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code(), Errc::invalid);
  EXPECT_THAT(parsed.error().text(), HasSubstr("heddle swarm join-token"));
  return parsed.error().text();
}

TEST(JoinToken, ParsesWhatItFormats) {
  const std::string text = format(sample());
  EXPECT_EQ(text.size(), 6 + 1 + 1 + 1 + 64 + 1 + 32u);
  const auto parsed = parse_token(text);
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(*parsed, sample());
}

TEST(JoinToken, EveryTruncationIsRefusedAsOne) {
  const std::string text = format(sample());
  for (std::size_t size = 9; size < text.size(); ++size) {
    EXPECT_THAT(error_of(text.substr(0, size)), HasSubstr("cut off")) << size;
  }
}

TEST(JoinToken, ErrorsSayWhichPartIsWrong) {
  const std::string text = format(sample());
  EXPECT_THAT(error_of(""), HasSubstr("is empty"));
  EXPECT_THAT(error_of("SWMTKN-1-x-y"), HasSubstr("does not start with HDLTKN-"));
  EXPECT_THAT(error_of("HDLTKN"), HasSubstr("cut off after its prefix"));
  EXPECT_THAT(error_of("HDLTKN-2" + text.substr(8)), HasSubstr("version '2'"));
  std::string digest = text;
  digest[20] = 'G';
  EXPECT_THAT(error_of(digest), HasSubstr("its digest may have only"));
  std::string secret = text;
  secret.back() = '1';
  EXPECT_THAT(error_of(secret), HasSubstr("its secret may have only"));
  EXPECT_THAT(error_of(text + "a"), HasSubstr("something follows"));
  EXPECT_THAT(error_of(text + "\n"), HasSubstr("something follows"));
  EXPECT_THAT(error_of(text.substr(0, 70) + "0000" + text.substr(70)), HasSubstr("too long"));
  EXPECT_THAT(error_of(std::string(1 << 20, '-')), HasSubstr("does not start"));
}

TEST(JoinToken, ErrorsNeverRepeatTheSecret) {
  const std::string text = format(sample());
  EXPECT_EQ(error_of(text + "x").find(sample().secret), std::string::npos);
}

TEST(JoinToken, SecretsAreOfTheAlphabetAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    JoinToken token = sample();
    token.secret = make_secret();
    EXPECT_TRUE(parse_token(format(token)));
    EXPECT_TRUE(seen.insert(token.secret).second);
  }
}

TEST(JoinToken, SecretsMatchOnlyWhenEqual) {
  EXPECT_TRUE(secrets_match("abc", "abc"));
  EXPECT_FALSE(secrets_match("abc", "abd"));
  EXPECT_FALSE(secrets_match("abc", "ab"));
  EXPECT_FALSE(secrets_match("", "a"));
}

}  // namespace
}  // namespace heddle::identity
