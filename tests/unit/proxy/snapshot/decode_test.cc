#include "proxy/snapshot/decode.h"

#include <gtest/gtest.h>

#include "netd/api/proxy.pb.h"

namespace heddle::snapshot {
namespace {

namespace pb = heddle::proxy::v1;

pb::Target target(const std::string& id, const std::string& address, std::uint32_t port) {
  pb::Target out;
  out.set_id(id);
  out.mutable_address()->set_address(address);
  out.mutable_address()->set_port(port);
  out.set_state(pb::TARGET_READY);
  return out;
}

// A snapshot with one listener and one group, both fine.
pb::ConfigMessage good() {
  pb::ConfigMessage message;
  pb::Snapshot& snapshot = *message.mutable_snapshot();
  snapshot.set_revision(7);
  pb::Listener& listener = *snapshot.add_listeners();
  listener.set_name("lb");
  listener.set_kind(pb::LISTENER_HTTP);
  listener.set_socket("web");
  listener.mutable_default_action()->mutable_forward()->add_groups()->set_target_group("g");
  pb::TargetGroup& group = *snapshot.add_target_groups();
  group.set_name("g");
  *group.add_targets() = target("a", std::string("\x0a\x00\x00\x01", 4), 80);
  return message;
}

std::string error_of(const pb::ConfigMessage& message) {
  const Decoded decoded = decode(message.SerializeAsString());
  return decoded.message ? "" : decoded.message.error().text();
}

TEST(Decode, ASnapshotBecomesValues) {
  pb::ConfigMessage message = good();
  pb::Rule& late = *message.mutable_snapshot()->mutable_listeners(0)->add_rules();
  late.set_priority(20);
  late.mutable_action()->mutable_fixed_response()->set_status(403);
  pb::Rule& early = *message.mutable_snapshot()->mutable_listeners(0)->add_rules();
  early.set_priority(10);
  early.add_conditions()->mutable_host()->set_exact("Example.ORG");
  early.mutable_action()->mutable_redirect()->set_status(301);
  early.mutable_action()->mutable_redirect()->set_location("/x");

  Decoded decoded = decode(message.SerializeAsString());
  ASSERT_TRUE(decoded.message) << decoded.message.error().text();
  EXPECT_EQ(decoded.revision, 7u);
  const auto& snapshot = std::get<Snapshot>(*decoded.message);
  ASSERT_EQ(snapshot.listeners.size(), 1u);
  ASSERT_EQ(snapshot.listeners[0].rules.size(), 2u);
  EXPECT_EQ(snapshot.listeners[0].rules[0].priority, 10u);
  EXPECT_EQ(snapshot.listeners[0].rules[0].conditions[0].any[0].text, "example.org");
  const TargetGroup& group = snapshot.groups[0];
  EXPECT_EQ(group.targets[0].address.format(), "10.0.0.1:80");
  EXPECT_EQ(group.targets[0].weight, 1u);
  EXPECT_EQ(group.connect_timeout, milliseconds(1000));
  EXPECT_EQ(group.request_timeout, milliseconds(30000));
  EXPECT_EQ(group.service, "g");
}

TEST(Decode, OneMistakeRefusesTheWholeAndIsNamed) {
  const auto with = [](auto change) {
    pb::ConfigMessage message = good();
    change(*message.mutable_snapshot());
    return error_of(message);
  };
  EXPECT_EQ(with([](pb::Snapshot&) {}), "");
  EXPECT_EQ(with([](pb::Snapshot& s) { s.mutable_listeners(0)->clear_name(); }),
            "a listener's name is empty");
  EXPECT_EQ(with([](pb::Snapshot& s) { s.mutable_listeners(0)->clear_kind(); }),
            "listener 'lb': kind is not http, tcp, outbound or inbound");
  EXPECT_EQ(with([](pb::Snapshot& s) { s.mutable_listeners(0)->clear_socket(); }),
            "listener 'lb': its socket's name is empty");
  EXPECT_EQ(with([](pb::Snapshot& s) { *s.add_listeners() = s.listeners(0); }),
            "listener 'lb' stands twice");
  EXPECT_EQ(with([](pb::Snapshot& s) { *s.add_target_groups() = s.target_groups(0); }),
            "target group 'g' stands twice");
  EXPECT_EQ(with([](pb::Snapshot& s) {
              auto& group = *s.mutable_target_groups(0);
              *group.add_targets() = group.targets(0);
            }),
            "target group 'g': target 'a' stands twice");
  EXPECT_EQ(with([](pb::Snapshot& s) {
              *s.mutable_target_groups(0)->add_targets() = target("b", "abc", 80);
            }),
            "target group 'g': target 'b': an address has 3 bytes, not 4 or 16");
  EXPECT_EQ(with([](pb::Snapshot& s) {
              *s.mutable_target_groups(0)->add_targets() = target("b", "abcd", 65536);
            }),
            "target group 'g': target 'b': port 65536 is not in 1..65535");
  EXPECT_EQ(
      with([](pb::Snapshot& s) { s.mutable_target_groups(0)->mutable_targets(0)->clear_state(); }),
      "target group 'g': target 'a': state is not ready, draining or gone");
  EXPECT_EQ(with([](pb::Snapshot& s) {
              auto& action = *s.mutable_listeners(0)->mutable_default_action();
              action.mutable_redirect()->set_status(302);
              action.mutable_redirect()->set_location("/\r\nX: y");
            }),
            "listener 'lb': default action: a redirect's location is too long or has control "
            "characters");
  EXPECT_EQ(with([](pb::Snapshot& s) {
              s.mutable_listeners(0)->set_kind(pb::LISTENER_TCP);
              s.mutable_listeners(0)->clear_default_action();
            }),
            "listener 'lb': a TCP listener's default action must be a forward");
  EXPECT_EQ(with([](pb::Snapshot& s) {
              for (int i = 0; i < 2; ++i) {
                auto& rule = *s.mutable_listeners(0)->add_rules();
                rule.set_priority(5);
                rule.mutable_action()->mutable_fixed_response()->set_status(200);
              }
            }),
            "listener 'lb': two rules have the priority 5");
  EXPECT_EQ(with([](pb::Snapshot& s) {
              s.mutable_target_groups(0)->mutable_targets(0)->set_encrypted(true);
            }),
            "target group 'g': target 'a': this proxy does not speak TLS to targets");
}

TEST(Decode, ARefusedSnapshotStillHasItsRevision) {
  pb::ConfigMessage message = good();
  message.mutable_snapshot()->mutable_listeners(0)->clear_name();
  EXPECT_EQ(decode(message.SerializeAsString()).revision, 7u);
}

TEST(Decode, BytesThatAreNoMessageAreAnError) {
  EXPECT_FALSE(decode("\xff\xff\xff\xff").message);
  EXPECT_FALSE(decode("").message) << "a message of no kind";
}

TEST(Decode, UpdatesAndAnswers) {
  pb::ConfigMessage remove;
  remove.mutable_target_group()->set_remove("g");
  auto removed = decode(remove.SerializeAsString());
  EXPECT_EQ(std::get<GroupRemoved>(*removed.message).name, "g");

  pb::ConfigMessage resolved;
  resolved.mutable_resolved()->mutable_destination()->set_address("\x01\x02\x03\x04");
  resolved.mutable_resolved()->mutable_destination()->set_port(9);
  auto answer = decode(resolved.SerializeAsString());
  EXPECT_EQ(std::get<Resolved>(*answer.message).destination.format(), "1.2.3.4:9");
  EXPECT_EQ(std::get<Resolved>(*answer.message).group, "");
}

TEST(Encode, WhatTheProxySays) {
  pb::ProxyMessage message;
  ASSERT_TRUE(message.ParseFromString(encode_resolve(*SocketAddr::parse("[::1]:80"))));
  EXPECT_EQ(message.resolve().destination().address().size(), 16u);
  ASSERT_TRUE(message.ParseFromString(encode_ack(4, "no")));
  EXPECT_EQ(message.ack().revision(), 4u);
  ASSERT_TRUE(message.ParseFromString(encode_hello("p", "v")));
  EXPECT_EQ(message.hello().proxy_id(), "p");
  ASSERT_TRUE(message.ParseFromString(encode_release("g")));
  EXPECT_EQ(message.release().target_group(), "g");
}

}  // namespace
}  // namespace heddle::snapshot
