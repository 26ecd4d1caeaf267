// link: heddle_netd_dns
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "netd/dns/answer.h"
#include "netd/dns/question.h"
#include "netd/dns/upstream_reply.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

// A hostile upstream. The first byte says who asked (bit 0 EDNS, 1 TCP, 2 DNSSEC, 3 in capitals),
// the second how many seconds ago; the rest is what the upstream sent. Whatever it is, the asker
// gets its own id and question, no more bytes than it takes, TTLs that were counted down, and a
// message.
namespace {

using namespace heddle;

dns::Bytes make_query(bool edns, bool dnssec, bool capitals) {
  dns::Bytes query{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (const char c :
       {'\3', 'w', 'w', 'w', '\7', 'e', 'x', 'a', 'm', 'p', 'l', 'e', '\3', 'c', 'o', 'm', '\0'}) {
    const bool letter = c >= 'a' && c <= 'z';
    query.push_back(static_cast<std::uint8_t>(capitals && letter ? c - 'a' + 'A' : c));
  }
  query.insert(query.end(), {0, 1, 0, 1});
  if (edns) {
    dns::append_opt(query, {700, 0, dnssec});
    query[11] = 1;
  }
  return query;
}

void check_ttls(const dns::UpstreamReply& reply, const dns::UpstreamReply& given,
                std::uint32_t age) {
  CHECK(given.ttls.size() == reply.ttls.size());
  for (std::size_t i = 0; i < reply.ttls.size(); ++i) {
    const std::uint32_t was = dns::read_u32(reply.bytes, reply.ttls[i]);
    const std::uint32_t is = dns::read_u32(given.bytes, given.ttls[i]);
    CHECK(is == (was > age && was <= 0x7fffffff ? was - age : 0));
  }
}

}  // namespace

HEDDLE_FUZZ_TARGET(dns_reply, data, size) {
  if (size < 2) return 0;
  const bool edns = (data[0] & 1) != 0;
  const auto transport = (data[0] & 2) != 0 ? dns::Transport::tcp : dns::Transport::udp;
  const std::uint32_t age = data[1];
  const dns::ByteView heard(data + 2, size - 2);

  const dns::Bytes message = make_query(edns, (data[0] & 4) != 0, (data[0] & 8) != 0);
  const dns::Query query = *dns::parse_query(message).query;
  const dns::Bytes sent = dns::Question(message, query).encode({7, {}}, {});
  if (dns::match(sent, heard) == dns::Match::no) return 0;
  const auto reply = dns::parse_reply(sent, heard, {});
  if (!reply) return 0;
  CHECK(reply->lifetime <= 3600);
  CHECK(!reply->truncated || (reply->lifetime == 0 && reply->ttls.empty()));

  const std::size_t limit =
      transport == dns::Transport::tcp ? dns::kMaxMessage : dns::udp_limit(query);
  dns::Bytes given = dns::render(*reply, message, query, age, limit);
  HEDDLE_DEFECT("an answer from the cache never grows old",
                given = dns::render(*reply, message, query, 0, limit));
  CHECK(given.size() <= limit);
  CHECK(dns::match(message, given) == dns::Match::yes);
  const auto again = dns::parse_reply(message, given, {});
  CHECK(again.has_value());
  if (!again->truncated) check_ttls(*reply, *again, age);
  CHECK(again->bytes.size() + (edns ? dns::kOptSize : 0) == given.size());
  CHECK(dns::answer(dns::Zone(), given, transport).kind == dns::Answer::Kind::drop);
  return 0;
}
