#include "netd/mesh/translate.h"

#include <algorithm>
#include <array>

#include "netd/api/proxy.pb.h"

namespace heddle::mesh {
namespace {

namespace pb = heddle::proxy::v1;

constexpr std::size_t kMaxText = 512;  // ids, versions, group names

pb::Protocol to_message(Protocol protocol) {
  switch (protocol) {
    case Protocol::automatic:
      return pb::PROTOCOL_UNSPECIFIED;
    case Protocol::tcp:
      return pb::PROTOCOL_TCP;
    case Protocol::http1:
      return pb::PROTOCOL_HTTP1;
    case Protocol::http2:
      return pb::PROTOCOL_HTTP2;
  }
  return pb::PROTOCOL_UNSPECIFIED;
}

pb::ListenerKind to_message(ListenerKind kind) {
  switch (kind) {
    case ListenerKind::http:
      return pb::LISTENER_HTTP;
    case ListenerKind::tcp:
      return pb::LISTENER_TCP;
    case ListenerKind::outbound:
      return pb::LISTENER_OUTBOUND;
    case ListenerKind::inbound:
      return pb::LISTENER_INBOUND;
  }
  return pb::LISTENER_UNSPECIFIED;
}

pb::TargetState to_message(TargetState state) {
  switch (state) {
    case TargetState::ready:
      return pb::TARGET_READY;
    case TargetState::draining:
      return pb::TARGET_DRAINING;
    case TargetState::gone:
      return pb::TARGET_GONE;
  }
  return pb::TARGET_UNSPECIFIED;
}

void to_message(const SocketAddr& from, pb::SocketAddress& to) {
  const auto& bytes = from.address.bytes();
  to.set_address(reinterpret_cast<const char*>(bytes.data()), from.address.is_v4() ? 4 : 16);
  to.set_port(from.port);
}

void to_message(const TargetGroup& from, pb::TargetGroup& to) {
  to.set_name(from.name);
  to.set_protocol(to_message(from.protocol));
  to.set_algorithm(from.algorithm == Algorithm::least_request ? pb::ALGORITHM_LEAST_REQUEST
                                                              : pb::ALGORITHM_ROUND_ROBIN);
  to.set_service(from.service);
  for (const auto& target : from.targets) {
    pb::Target& out = *to.add_targets();
    out.set_id(target.id);
    to_message(target.address, *out.mutable_address());
    out.set_weight(target.weight);
    out.set_state(to_message(target.state));
    out.set_node(target.node);
  }
}

void forward_to(const std::string& group, pb::Action& action) {
  pb::WeightedGroup& to = *action.mutable_forward()->add_groups();
  to.set_target_group(group);
  to.set_weight(1);
}

void to_message(const Rule& from, pb::Rule& to) {
  to.set_priority(from.priority);
  if (from.host.starts_with("*.")) {
    to.add_conditions()->mutable_host()->set_suffix(from.host.substr(1));
  } else if (!from.host.empty()) {
    to.add_conditions()->mutable_host()->set_exact(from.host);
  }
  if (!from.path_prefix.empty()) to.add_conditions()->mutable_path()->set_prefix(from.path_prefix);
  forward_to(from.target_group, *to.mutable_action());
}

void to_message(const Listener& from, pb::Listener& to) {
  to.set_name(from.name);
  to.set_kind(to_message(from.kind));
  to.set_socket(from.socket);
  for (const auto& rule : from.rules) to_message(rule, *to.add_rules());
  if (!from.default_target_group.empty())
    forward_to(from.default_target_group, *to.mutable_default_action());
  for (const auto& port : from.inbound_ports) {
    pb::InboundPort& out = *to.add_inbound_ports();
    out.set_port(port.port);
    out.set_protocol(to_message(port.protocol));
    out.set_service(port.service);
  }
}

struct Writer {
  pb::ConfigMessage& to;

  void operator()(const Snapshot& from) const {
    pb::Snapshot& out = *to.mutable_snapshot();
    out.set_revision(from.revision);
    for (const auto& listener : from.listeners) to_message(listener, *out.add_listeners());
    for (const auto& group : from.groups) to_message(group, *out.add_target_groups());
  }
  void operator()(const TargetGroup& from) const {
    to_message(from, *to.mutable_target_group()->mutable_put());
  }
  void operator()(const GroupRemoved& from) const {
    to.mutable_target_group()->set_remove(from.name);
  }
  void operator()(const Resolved& from) const {
    to_message(from.destination, *to.mutable_resolved()->mutable_destination());
    to.mutable_resolved()->set_target_group(from.target_group);
  }
};

Result<SocketAddr> from_message(const pb::SocketAddress& from) {
  if (from.port() > 0xffff) return fail(Errc::invalid, "port is above 65535");
  const std::string& bytes = from.address();
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  if (bytes.size() == 4) {
    const std::uint32_t value =
        std::uint32_t{at(0)} << 24 | std::uint32_t{at(1)} << 16 | std::uint32_t{at(2)} << 8 | at(3);
    return SocketAddr{IpAddr::v4(value), static_cast<std::uint16_t>(from.port())};
  }
  if (bytes.size() != 16) return fail(Errc::invalid, "address has neither 4 nor 16 bytes");
  std::array<std::uint8_t, 16> v6{};
  for (std::size_t i = 0; i < v6.size(); ++i) v6[i] = at(i);
  return SocketAddr{IpAddr::v6(v6), static_cast<std::uint16_t>(from.port())};
}

Result<std::string> bounded(const std::string& text, std::string_view what) {
  if (text.size() <= kMaxText) return text;
  return fail(Errc::invalid, std::string(what) + " is longer than " + std::to_string(kMaxText));
}

}  // namespace

void to_message(const ConfigMessage& from, pb::ConfigMessage& to) {
  to.Clear();
  std::visit(Writer{to}, from);
}

Result<ProxyMessage> from_message(const pb::ProxyMessage& from) {
  switch (from.kind_case()) {
    case pb::ProxyMessage::kHello: {
      TRY(auto id, bounded(from.hello().proxy_id(), "proxy id"));
      TRY(auto version, bounded(from.hello().version(), "version"));
      return ProxyMessage(Hello{std::move(id), std::move(version)});
    }
    case pb::ProxyMessage::kResolve: {
      TRY(const SocketAddr destination, from_message(from.resolve().destination()));
      return ProxyMessage(Resolve{destination});
    }
    case pb::ProxyMessage::kRelease: {
      TRY(auto group, bounded(from.release().target_group(), "target group"));
      return ProxyMessage(Release{std::move(group)});
    }
    case pb::ProxyMessage::kAck:
      return ProxyMessage(Ack{from.ack().revision(), from.ack().error().substr(0, kMaxText)});
    default:
      return fail(Errc::invalid, "message of no known kind");
  }
}

}  // namespace heddle::mesh
