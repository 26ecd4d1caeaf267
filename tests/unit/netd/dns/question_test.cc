#include "netd/dns/question.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/dns/digger.h"

namespace heddle::dns {
namespace {

using tests::make_query;
using tests::read_reply;

Question question(const tests::Ask& ask) {
  const Bytes message = make_query(ask);
  return Question(message, *parse_query(message).query);
}

TEST(Question, IsTheSameInAnySpellingUnderAnyIdAndWithAnyPayload) {
  const std::string key = question({"www.example.com", "A", 1}).key();
  EXPECT_EQ(question({"WWW.Example.COM", "A", 2}).key(), key);
  EXPECT_EQ(question({"www.example.com", "A", 3, 4096}).key(), key);
}

TEST(Question, OfAnotherNameTypeOrWithDnssecIsAnother) {
  const std::string key = question({"www.example.com", "A"}).key();
  EXPECT_NE(question({"www.example.org", "A"}).key(), key);
  EXPECT_NE(question({"www.example.com", "AAAA"}).key(), key);
  EXPECT_NE(question({"www.example.com", "A", 1, 1232, tests::Ask::Dnssec::yes}).key(), key);
  Bytes unchecked = make_query({"www.example.com", "A"});
  unchecked[3] |= kCheckingDisabled;
  EXPECT_NE(Question(unchecked, *parse_query(unchecked).query).key(), key);
}

TEST(Question, IsSpelledAsTheSecretsSay) {
  Secrets secrets{0xabcd, {}};
  secrets.spelling.fill(0xff);
  Bytes bytes = question({"www.example.com", "A", 1}).encode(secrets, {});
  EXPECT_EQ(id_of(bytes), 0xabcd);
  EXPECT_EQ(read_reply(bytes).question, "WWW.EXAMPLE.COM.");
  EXPECT_TRUE(read_reply(bytes).edns);
  EXPECT_EQ(read_reply(bytes).payload, 1232);
  secrets.spelling.fill(0);
  bytes = question({"WWW.example.com", "A", 1}).encode(secrets, {});
  EXPECT_EQ(read_reply(bytes).question, "Www.example.com.") << "never all in lower case";
  bytes =
      question({"WWW.example.com", "A", 1}).encode(secrets, {.edns = false, .mixed_case = false});
  EXPECT_EQ(read_reply(bytes).question, "www.example.com.");
  EXPECT_FALSE(read_reply(bytes).edns);
}

TEST(Question, CarriesWhatTheAskerWantsOfDnssecAndNoneOfItsOptions) {
  Bytes message = make_query({"www.example.com", "A", 1, 1232, tests::Ask::Dnssec::yes});
  message[3] |= kCheckingDisabled;
  message.back() = 12;  // a client subnet of RFC 7871
  message.insert(message.end(), {0, 8, 0, 8, 0, 1, 32, 0, 10, 0, 0, 1});
  const auto query = parse_query(message).query;
  ASSERT_TRUE(query);
  const Bytes bytes = Question(message, *query).encode({}, {});
  const auto sent = parse_query(bytes).query;
  ASSERT_TRUE(sent);
  EXPECT_TRUE(sent->dnssec_ok);
  EXPECT_TRUE(sent->checking_disabled);
  EXPECT_TRUE(sent->recursion_desired);
  EXPECT_EQ(bytes.size(), kHeaderSize + sent->question_size + kOptSize);
}

TEST(Match, BelievesOnlyTheReplyToThisQuestionInThisSpelling) {
  const Bytes sent = make_query({"wWw.example.com", "A", 7});
  const auto reply_to = [](const tests::Ask& ask) {
    return tests::make_reply(make_query(ask), "192.0.2.1");
  };
  EXPECT_EQ(match(sent, reply_to({"wWw.example.com", "A", 7})), Match::yes);
  EXPECT_EQ(match(sent, reply_to({"www.example.com", "A", 7})), Match::other_spelling);
  EXPECT_EQ(match(sent, sent), Match::no) << "not a response";
  for (const tests::Ask& other :
       {tests::Ask{"wWw.example.com", "A", 8}, tests::Ask{"wWw.example.com", "AAAA", 7},
        tests::Ask{"www.example.com", "AAAA", 7}, tests::Ask{"wWw.example.org", "A", 7},
        tests::Ask{"wWw.example.com.org", "A", 7}}) {
    EXPECT_EQ(match(sent, reply_to(other)), Match::no) << other.name << other.type << other.id;
  }
  EXPECT_EQ(match(sent, {}), Match::no);
}

TEST(Match, ARefusalMayLeaveTheQuestionOutAndAnAnswerMayNot) {
  const Bytes sent = make_query({"www.example.com", "A", 7});
  Bytes reply(kHeaderSize, 0);
  write_u16(reply, 0, 7);
  reply[2] = kResponse;
  EXPECT_EQ(match(sent, reply), Match::no);
  reply[3] = static_cast<std::uint8_t>(Rcode::format_error);
  EXPECT_EQ(match(sent, reply), Match::yes);
}

}  // namespace
}  // namespace heddle::dns
