#include "netd/dns/upstream_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/dns/digger.h"
#include "tests/support/views.h"

namespace heddle::dns {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::make_query;
using tests::read_reply;

const tests::Ask kAsked{"www.example.com", "A", 7, 1232};

UpstreamReply parsed(const Bytes& reply) {
  const auto result = parse_reply(make_query(kAsked), reply, {});
  CHECK(result.has_value());
  return *result;
}

Bytes says(const Reply& reply) {
  const Bytes sent = make_query(kAsked);
  return encode(sent, *parse_query(sent).query, reply, kMaxMessage);
}

tests::Told told(const UpstreamReply& reply, const tests::Ask& ask, std::uint32_t age = 0,
                 std::size_t limit = 1232) {
  const Bytes message = make_query(ask);
  return read_reply(render(reply, message, *parse_query(message).query, age, limit));
}

Record a(std::uint32_t ttl) {
  return {"", ttl, tests::ip("192.0.2.80")};
}
Record soa(std::uint32_t ttl, std::uint32_t minimum) {
  return {"example.com", ttl, SoaData{"ns.example.com", "root.example.com", minimum}};
}

TEST(ParseReply, HoldsForTheShortestTtl) {
  EXPECT_EQ(parsed(says({.answers = {a(60), a(30), a(90)}})).lifetime, 30u);
  EXPECT_EQ(parsed(says({.answers = {a(60)}, .additional = {a(10)}})).lifetime, 10u);
  EXPECT_EQ(parsed(says({.answers = {a(60), a(0)}})).lifetime, 0u);
  EXPECT_EQ(parsed(says({.answers = {a(86400)}})).lifetime, 3600u) << "at most an hour";
  EXPECT_EQ(parsed(says({.answers = {a(0x80000000u)}})).lifetime, 0u) << "RFC 2181, section 8";
}

TEST(ParseReply, ADenialHoldsForWhatTheSoaSays) {
  const auto denial = [](Rcode rcode, std::vector<Record> authority) {
    return parsed(says({.rcode = rcode, .authority = std::move(authority)})).lifetime;
  };
  for (const Rcode rcode : {Rcode::name_error, Rcode::no_error}) {
    EXPECT_EQ(denial(rcode, {soa(100, 40)}), 40u);
    EXPECT_EQ(denial(rcode, {soa(20, 40)}), 20u) << "RFC 2308, section 5";
    EXPECT_EQ(denial(rcode, {soa(3600, 3600)}), 300u) << "at most five minutes";
    EXPECT_EQ(denial(rcode, {}), 0u) << "without a SOA not at all";
  }
  for (const Rcode rcode : {Rcode::server_failure, Rcode::refused, Rcode::format_error}) {
    EXPECT_EQ(denial(rcode, {soa(100, 40)}), 0u);
  }
}

TEST(Render, CountsTtlsDown) {
  const UpstreamReply reply = parsed(says({.answers = {a(60), a(30)}}));
  EXPECT_THAT(told(reply, kAsked, 0).ttls, ElementsAre(60u, 30u));
  EXPECT_THAT(told(reply, kAsked, 29).ttls, ElementsAre(31u, 1u));
  EXPECT_THAT(told(reply, kAsked, 45).ttls, ElementsAre(15u, 0u));
}

TEST(Render, IsForItsAsker) {
  const UpstreamReply reply = parsed(says({.answers = {a(60)}}));
  auto it = told(reply, {"wWw.EXAMPLE.com", "A", 99});
  EXPECT_EQ(it.question, "wWw.EXAMPLE.com.");
  EXPECT_THAT(it.answers, ElementsAre("A 192.0.2.80"));
  EXPECT_FALSE(it.edns) << "an OPT record only for who sent one";
  EXPECT_FALSE(it.authoritative);
  EXPECT_TRUE(it.recursion_available);
  it = told(reply, {"www.example.com", "A", 99, 512, tests::Ask::Dnssec::yes});
  EXPECT_TRUE(it.edns);
  EXPECT_TRUE(it.dnssec_ok);
  EXPECT_EQ(it.payload, 1232);
}

TEST(Render, WhatIsTooLongIsTruncatedWithoutRecords) {
  Reply long_one;
  for (int i = 0; i < 40; ++i) long_one.answers.push_back(a(60));
  const UpstreamReply reply = parsed(says(long_one));
  EXPECT_THAT(told(reply, kAsked).answers, SizeIs(40));
  for (const int payload : {0, 512}) {
    const auto it = told(reply, {"www.example.com", "A", 1, payload}, 0, 512);
    EXPECT_TRUE(it.truncated);
    EXPECT_THAT(it.answers, IsEmpty());
    EXPECT_EQ(it.edns, payload > 0);
  }
}

TEST(Render, ATruncatedReplyStaysOneWhateverItHasOfRecords) {
  Bytes reply = says({.answers = {a(60)}});
  reply[2] |= kTruncated;
  reply.resize(reply.size() - 3);  // cut through a record, as some servers do
  const UpstreamReply it = parsed(reply);
  EXPECT_TRUE(it.truncated);
  EXPECT_EQ(it.lifetime, 0u);
  EXPECT_TRUE(told(it, kAsked).truncated);
  EXPECT_THAT(told(it, kAsked).answers, IsEmpty());
}

TEST(Render, TellsThatTheUpstreamValidatedToWhoAsks) {
  Bytes bytes = says({.answers = {a(60)}});
  bytes[3] |= kAuthenticData;
  const UpstreamReply reply = parsed(bytes);
  EXPECT_FALSE(told(reply, {"www.example.com"}).authentic);
  EXPECT_TRUE(told(reply, {"www.example.com", "A", 1, 1232, tests::Ask::Dnssec::yes}).authentic);
}

TEST(Render, ACodeThatNeedsEdnsIsAFailureWithoutIt) {
  const UpstreamReply reply = parsed(says({.rcode = Rcode::bad_version}));
  EXPECT_TRUE(reply.is(Rcode::bad_version));
  EXPECT_EQ(told(reply, kAsked).rcode, 16);
  EXPECT_EQ(told(reply, {"www.example.com"}).rcode, 2);
}

TEST(ParseReply, WhatFollowsTheOptRecordIsLeftOut) {
  Bytes reply = says({.answers = {a(60)}});
  const Bytes glue{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 1};
  reply.insert(reply.end(), glue.begin(), glue.end());
  write_u16(reply, 10, 2);
  const UpstreamReply it = parsed(reply);
  EXPECT_EQ(it.lifetime, 60u);
  EXPECT_THAT(told(it, {"www.example.com"}).additional, IsEmpty());
}

TEST(ParseReply, AMutilatedReplyIsNone) {
  const Bytes sent = make_query(kAsked);
  const Bytes whole = says({.answers = {a(60), a(30)}, .authority = {soa(60, 60)}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_reply(sent, ByteView(whole).first(size), {})) << size;
  }
  Bytes more = whole;
  more[7] = 200;  // answers that are not there
  EXPECT_FALSE(parse_reply(sent, more, {}));
  Bytes forward = whole;
  forward[kHeaderSize + 21] = 0xff;  // the first owner points beyond itself
  forward[kHeaderSize + 22] = 0xff;
  EXPECT_FALSE(parse_reply(sent, forward, {}));
}

TEST(ParseReply, ARefusalWithoutTheQuestionGetsIt) {
  Bytes reply = make_query(kAsked);
  reply.resize(kHeaderSize);
  reply[2] |= kResponse;
  reply[3] = static_cast<std::uint8_t>(Rcode::refused);
  std::fill(reply.begin() + 4, reply.end(), 0);
  const auto it = told(parsed(reply), kAsked);
  EXPECT_EQ(it.rcode, 5);
  EXPECT_EQ(it.question, "www.example.com.");
}

}  // namespace
}  // namespace heddle::dns
