// link: heddle_netd_dns
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "netd/dns/answer.h"
#include "netd/dns/question.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"
#include "tests/support/views.h"

// The first byte chooses the transport; the rest is a message from a workload. Whatever it is, the
// reply is a response with the query's id, within the size that the asker takes, and a reply is
// never answered itself. What is to be forwarded can be asked of an upstream, and its question is
// one again.
namespace {

using namespace heddle;

dns::Zone make_zone() {
  tests::ViewBuilder build;
  build.swarm("h1").node("h1", "192.0.2.1").node("h2", "192.0.2.2");
  build.network("app", "overlay", "10.40.0.0/20", 77);
  build.workload("c1");
  build.endpoint("c1", "app", "10.40.0.5").aliases = {"db"};
  for (int i = 0; i < 100; ++i) {
    model::Endpoint& backend =
        build.remote("h2", "b" + std::to_string(i), "app", "10.40.1." + std::to_string(i + 1));
    backend.service = "web";
    backend.ports = {tests::port(8080, "http")};
  }
  build.service("web", "app", "10.40.15.1").ports = {tests::port(8080, "http")};
  return dns::build_zone(build.view(), "c1");
}

}  // namespace

HEDDLE_FUZZ_TARGET(dns_query, data, size) {
  static const dns::Zone kZone = make_zone();
  if (size == 0) return 0;
  const auto transport = (data[0] & 1) != 0 ? dns::Transport::tcp : dns::Transport::udp;
  const dns::ByteView message(data + 1, size - 1);

  dns::Answer result = dns::answer(kZone, message, transport);
  HEDDLE_DEFECT("a reply over UDP is as long as one over TCP may be",
                if (result.kind == dns::Answer::Kind::reply) result.bytes.resize(5000));
  if (result.kind == dns::Answer::Kind::reply) {
    CHECK(result.bytes.size() >= dns::kHeaderSize);
    CHECK(dns::id_of(result.bytes) == dns::id_of(message));
    CHECK(result.bytes.size() <= (transport == dns::Transport::tcp ? dns::kMaxMessage : 1232u));
    CHECK(dns::answer(kZone, result.bytes, transport).kind == dns::Answer::Kind::drop);
  } else {
    CHECK(result.bytes.empty());
  }
  if (result.kind == dns::Answer::Kind::forward) {
    const dns::Bytes failure = dns::encode_failure(message, dns::Rcode::server_failure);
    CHECK(dns::match(message, failure) == dns::Match::yes);
    const dns::Bytes asked = dns::Question(message, result.query).encode({}, {});
    const auto parsed = dns::parse_query(asked);
    CHECK(parsed.query && parsed.query->type == result.query.type &&
          parsed.query->name == result.query.name);
  }
  return 0;
}
