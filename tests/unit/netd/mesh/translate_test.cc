#include "netd/mesh/translate.h"

#include <gtest/gtest.h>

#include "netd/api/proxy.pb.h"
#include "tests/unit/netd/mesh/view_builder.h"

namespace heddle::mesh {
namespace {

namespace pb = heddle::proxy::v1;

TEST(Translate, SnapshotKeepsRulesPortsAndTargets) {
  Snapshot snapshot;
  snapshot.revision = 7;
  Listener http{"0.0.0.0:80", ListenerKind::http, "s", {}, "main", {}};
  http.rules = {{1, "*.example.org", "/api", "a"}, {2, "www.example.org", "", "b"}};
  Listener inbound{"inbound", ListenerKind::inbound, "inbound", {}, "", {}};
  inbound.inbound_ports = {{8080, Protocol::http1, "web.app"}};
  snapshot.listeners = {http, inbound};
  TargetGroup group{"a", Protocol::tcp, Algorithm::least_request, {}, "web.app"};
  group.targets = {{"e1", addr("10.0.0.1:80"), 3, TargetState::draining, "n"},
                   {"e2", addr("[fd00::1]:80"), 1, TargetState::gone, "n"}};
  snapshot.groups = {group};

  pb::ConfigMessage message;
  to_message(snapshot, message);
  ASSERT_EQ(message.snapshot().listeners_size(), 2);
  const pb::Listener& first = message.snapshot().listeners(0);
  EXPECT_EQ(first.kind(), pb::LISTENER_HTTP);
  EXPECT_EQ(first.default_action().forward().groups(0).target_group(), "main");
  ASSERT_EQ(first.rules(0).conditions_size(), 2);
  EXPECT_EQ(first.rules(0).conditions(0).host().suffix(), ".example.org");
  EXPECT_EQ(first.rules(0).conditions(1).path().prefix(), "/api");
  EXPECT_EQ(first.rules(1).conditions(0).host().exact(), "www.example.org");
  const pb::Listener& second = message.snapshot().listeners(1);
  EXPECT_FALSE(second.has_default_action());
  EXPECT_EQ(second.inbound_ports(0).protocol(), pb::PROTOCOL_HTTP1);
  const pb::TargetGroup& out = message.snapshot().target_groups(0);
  EXPECT_EQ(out.algorithm(), pb::ALGORITHM_LEAST_REQUEST);
  EXPECT_EQ(out.targets(0).address().address(), std::string("\x0a\0\0\x01", 4));
  EXPECT_EQ(out.targets(0).state(), pb::TARGET_DRAINING);
  EXPECT_EQ(out.targets(1).address().address().size(), 16u);
}

TEST(Translate, MessagesOfAProxyAreCheckedBeforeTheyAreValues) {
  pb::ProxyMessage message;
  EXPECT_EQ(from_message(message).error().code(), Errc::invalid) << "empty";
  message.mutable_resolve()->mutable_destination()->set_address("abc");
  EXPECT_EQ(from_message(message).error().code(), Errc::invalid);
  message.mutable_resolve()->mutable_destination()->set_address("\x0a\x20\0\x02", 4);
  message.mutable_resolve()->mutable_destination()->set_port(70000);
  EXPECT_EQ(from_message(message).error().code(), Errc::invalid);
  message.mutable_resolve()->mutable_destination()->set_port(8080);
  EXPECT_EQ(std::get<Resolve>(*from_message(message)).destination.port, 8080);
  message.mutable_hello()->set_proxy_id(std::string(10'000, 'x'));
  EXPECT_EQ(from_message(message).error().code(), Errc::invalid);
}

TEST(Translate, V4AndV6DestinationsGoThereAndBack) {
  for (const char* text : {"10.32.0.2:8080", "[fd00::1]:1", "[::ffff:10.0.0.1]:65535"}) {
    pb::ConfigMessage out;
    to_message(Resolved{addr(text), "g"}, out);
    pb::ProxyMessage in;
    *in.mutable_resolve()->mutable_destination() = out.resolved().destination();
    EXPECT_EQ(std::get<Resolve>(*from_message(in)).destination, addr(text)) << text;
  }
}

}  // namespace
}  // namespace heddle::mesh
