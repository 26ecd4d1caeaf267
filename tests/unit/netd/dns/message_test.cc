#include "netd/dns/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/dns/digger.h"
#include "tests/support/views.h"

namespace heddle::dns {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using tests::make_query;
using tests::read_reply;

Reply addresses(int count) {
  Reply reply;
  for (int i = 0; i < count; ++i) {
    reply.answers.push_back({"", 2, IpAddr::v4(0x0a280000u + static_cast<unsigned>(i))});
  }
  return reply;
}

TEST(ParseQuery, ReadsNameTypeAndWhatTheAskerTakes) {
  const auto plain = parse_query(make_query({"Web.App", "SRV", 77}));
  ASSERT_TRUE(plain.query);
  EXPECT_EQ(plain.query->id, 77);
  EXPECT_EQ(plain.query->name, "web.app");
  EXPECT_TRUE(plain.query->is(Type::srv));
  EXPECT_TRUE(plain.query->recursion_desired);
  EXPECT_FALSE(plain.query->edns);
  EXPECT_EQ(plain.query->payload, 512);

  EXPECT_EQ(parse_query(make_query({"web", "A", 1, 1232})).query->payload, 1232);
  EXPECT_EQ(parse_query(make_query({"web", "A", 1, 100})).query->payload, 512);
}

TEST(ParseQuery, NamesThatNoneOfOursCanBeComeOutEmpty) {
  for (const char* name : {".", "we\\.b.app", "we\\000b", "a*b.app", "\\228\\184\\173"}) {
    const auto parsed = parse_query(make_query({name}));
    ASSERT_TRUE(parsed.query) << name;
    EXPECT_EQ(parsed.query->name, "") << name;
  }
}

TEST(ParseQuery, DropsWhatMustNotBeAnswered) {
  Bytes response = make_query({"web"});
  response[2] |= 0x80;
  EXPECT_FALSE(parse_query(response).query);
  EXPECT_FALSE(parse_query(response).refusal) << "a response is never answered";
  EXPECT_FALSE(parse_query(ByteView(response).first(11)).refusal);
  EXPECT_FALSE(parse_query({}).refusal);
}

TEST(ParseQuery, RefusesOtherOperationsAndOtherShapes) {
  const Bytes good = make_query({"web", "A", 1, 1232});
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    const auto parsed = parse_query(bytes);
    return parsed.refusal.value_or(Rcode::no_error);
  };
  EXPECT_EQ(with(2, 0x28), Rcode::not_implemented) << "UPDATE";
  EXPECT_EQ(with(5, 0), Rcode::format_error) << "no question";
  EXPECT_EQ(with(5, 2), Rcode::format_error) << "two questions";
  EXPECT_EQ(with(7, 1), Rcode::format_error) << "an answer in a query";
  EXPECT_EQ(with(9, 1), Rcode::format_error);
  EXPECT_EQ(with(11, 3), Rcode::format_error) << "too many additional records";
  EXPECT_EQ(with(12, 0xc0), Rcode::format_error) << "compression in the question";
  EXPECT_EQ(with(12, 0x40), Rcode::format_error) << "reserved label type";
  for (std::size_t size = kHeaderSize; size < good.size(); ++size) {
    EXPECT_EQ(parse_query(ByteView(good).first(size)).refusal, Rcode::format_error) << size;
  }
  Bytes large = good;
  large.resize(kMaxQuery + 1);
  EXPECT_EQ(parse_query(large).refusal, Rcode::format_error);
}

TEST(ParseQuery, RefusesTwoOptRecords) {
  Bytes query = make_query({"web", "A", 1, 1232});
  const Bytes opt(query.end() - 11, query.end());
  query.insert(query.end(), opt.begin(), opt.end());
  query[11] = 2;
  EXPECT_EQ(parse_query(query).refusal, Rcode::format_error);
}

TEST(ParseQuery, ReadsTheDnssecBitAndIgnoresOptionsThatItDoesNotKnow) {
  EXPECT_FALSE(parse_query(make_query({"web", "A", 1, 1232})).query->dnssec_ok);
  Bytes query = make_query({"web", "A", 1, 1232, tests::Ask::Dnssec::yes});
  EXPECT_TRUE(parse_query(query).query->dnssec_ok);
  // An option 65001 of two bytes, and one without data.
  query.back() = 10;
  query.insert(query.end(), {0xfd, 0xe9, 0, 2, 7, 7, 0xfd, 0xea, 0, 0});
  ASSERT_TRUE(parse_query(query).query);
  EXPECT_TRUE(parse_query(query).query->dnssec_ok);
}

TEST(ParseQuery, RefusesOptionsThatDoNotFillTheirRecord) {
  const Bytes plain = make_query({"web", "A", 1, 1232});
  for (const Bytes& options : {Bytes{0xfd}, Bytes{0xfd, 0xe9, 0}, Bytes{0xfd, 0xe9, 0, 1},
                               Bytes{0xfd, 0xe9, 0, 0, 1}, Bytes{0xfd, 0xe9, 0xff, 0xff, 1}}) {
    Bytes query = plain;
    query.back() = static_cast<std::uint8_t>(options.size());
    query.insert(query.end(), options.begin(), options.end());
    EXPECT_EQ(parse_query(query).refusal, Rcode::format_error);
  }
}

TEST(ParseQuery, RefusesAnOptThatIsNotTheRoots) {
  Bytes query = make_query({"web", "A", 1, 1232});
  query[query.size() - kOptSize] = 0xc0;
  query.insert(query.end() - kOptSize + 1, 12);
  EXPECT_EQ(parse_query(query).refusal, Rcode::format_error);
}

TEST(ParseQuery, TakesTheLongestNameAndNoLonger) {
  const auto with_name = [](const Bytes& name) {
    Bytes query{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    query.insert(query.end(), name.begin(), name.end());
    query.insert(query.end(), {0, 1, 0, 1});
    return parse_query(query);
  };
  Bytes name;
  for (int i = 0; i < 3; ++i) {
    name.push_back(63);
    name.insert(name.end(), 63, 'a');
  }
  Bytes longest = name;
  longest.push_back(61);
  longest.insert(longest.end(), 61, 'b');
  longest.push_back(0);
  ASSERT_EQ(longest.size(), 255u);
  ASSERT_TRUE(with_name(longest).query);
  EXPECT_EQ(with_name(longest).query->name.size(), 253u);
  Bytes longer = name;
  longer.push_back(62);
  longer.insert(longer.end(), 62, 'b');
  longer.push_back(0);
  EXPECT_EQ(with_name(longer).refusal, Rcode::format_error);
}

TEST(Encode, SaysWhatWeTakeAndEchoesTheDnssecBit) {
  const Bytes query = make_query({"web", "A", 1, 4096, tests::Ask::Dnssec::yes});
  const auto told = read_reply(encode(query, *parse_query(query).query, addresses(1), 512));
  EXPECT_TRUE(told.edns);
  EXPECT_TRUE(told.dnssec_ok);
  EXPECT_EQ(told.payload, 1232);
}

TEST(Encode, PointsToNamesThatWereWrittenBefore) {
  const Bytes query = make_query({"a.app.heddle.internal", "PTR"});
  Reply reply;
  reply.answers.push_back({"", 2, PtrData{"b.app.heddle.internal"}});
  reply.answers.push_back({"c.b.app.heddle.internal", 2, PtrData{"a.app.heddle.internal"}});
  reply.answers.push_back({"p.heddle.internal", 2, PtrData{"heddle.internal"}});
  const Bytes bytes = encode(query, *parse_query(query).query, reply, 512);
  const auto told = read_reply(bytes);
  EXPECT_THAT(told.answers, ElementsAre("PTR b.app.heddle.internal.", "PTR a.app.heddle.internal.",
                                        "PTR heddle.internal."));
  // The question; b and a pointer; c and a pointer; a pointer; p and a pointer; a pointer.
  EXPECT_EQ(bytes.size(), kHeaderSize + 27 + (2 + 10 + 4) + (2 + 2 + 10 + 2) + (4 + 10 + 2));
}

TEST(Encode, EchoesTheQuestionAsSpelled) {
  const Bytes query = make_query({"WeB.aPp"});
  const auto told = read_reply(encode(query, *parse_query(query).query, addresses(1), 512));
  EXPECT_EQ(told.question, "WeB.aPp.");
  EXPECT_THAT(told.answers, ElementsAre("A 10.40.0.0"));
  EXPECT_FALSE(told.edns) << "none when none was asked with";
}

TEST(Encode, FillsUdpAndSaysWhenSomethingIsLeftOut) {
  const Bytes query = make_query({"tasks.web"});
  const auto parsed = *parse_query(query).query;
  const Bytes fits = encode(query, parsed, addresses(29), 512);
  EXPECT_FALSE(read_reply(fits).truncated);
  EXPECT_THAT(read_reply(fits).answers, SizeIs(29));
  const Bytes cut = encode(query, parsed, addresses(1000), 512);
  EXPECT_TRUE(read_reply(cut).truncated);
  EXPECT_LE(cut.size(), 512u);
  EXPECT_GE(cut.size(), 490u) << "as much as fits";
  const Bytes whole = encode(query, parsed, addresses(1000), kMaxMessage);
  EXPECT_FALSE(read_reply(whole).truncated);
  EXPECT_THAT(read_reply(whole).answers, SizeIs(1000));
  const Bytes most = encode(query, parsed, addresses(5000), kMaxMessage);
  EXPECT_TRUE(read_reply(most).truncated);
  EXPECT_LE(most.size(), kMaxMessage);
}

TEST(Encode, LeavesOutAdditionalRecordsBeforeAnswersAndWithoutTruncation) {
  const Bytes query = make_query({"web"});
  Reply reply = addresses(28);
  for (int i = 0; i < 10; ++i) {
    reply.additional.push_back({"x.app.heddle.internal", 2, tests::ip("10.0.0.1")});
  }
  const auto told = read_reply(encode(query, *parse_query(query).query, reply, 512));
  EXPECT_FALSE(told.truncated);
  EXPECT_THAT(told.answers, SizeIs(28));
  EXPECT_THAT(told.additional, SizeIs(0));
}

TEST(Encode, DoesNotCompressSrvTargets) {
  const Bytes query = make_query({"_http._tcp.web", "SRV"});
  Reply reply;
  reply.answers.push_back({"", 2, SrvData{0, 5, 8080, "web"}});
  const Bytes bytes = encode(query, *parse_query(query).query, reply, 512);
  EXPECT_THAT(read_reply(bytes).answers, ElementsAre("SRV 0 5 8080 web."));
  EXPECT_EQ(bytes.back(), 0) << "RFC 2782: the target is spelled out";
}

TEST(EncodeFailure, AnswersEvenWhatCannotBeRead) {
  Bytes query = make_query({"web", "A", 0xbeef});
  auto told = read_reply(encode_failure(query, Rcode::refused));
  EXPECT_EQ(told.rcode, 5);
  EXPECT_EQ(told.question, "web.");
  query.resize(14);
  const Bytes reply = encode_failure(query, Rcode::format_error);
  EXPECT_EQ(reply.size(), kHeaderSize);
  EXPECT_EQ(id_of(reply), 0xbeef);
  EXPECT_EQ(read_reply(reply).rcode, 1);
}

}  // namespace
}  // namespace heddle::dns
