#include "proxy/snapshot/decode.h"

#include <algorithm>
#include <set>

#include "netd/api/proxy.pb.h"

namespace heddle::snapshot {
namespace {

namespace pb = heddle::proxy::v1;

constexpr std::uint32_t kMaxWeight = 1'000'000;
constexpr std::uint32_t kMaxTimeoutMs = 24 * 3600 * 1000;
constexpr std::size_t kMaxFixedBody = 64 * 1024;

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

// Free of control bytes, so that it can stand in a header, a label or a log line.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c >= ' ' && c != 0x7f; });
}

Result<std::string> label_of(const std::string& text, std::string_view what) {
  if (text.empty()) return fail(Errc::invalid, std::string(what) + " is empty");
  if (text.size() > 255 || !is_plain(text)) {
    return fail(Errc::invalid, std::string(what) + " is too long or has control characters");
  }
  return text;
}

Result<SocketAddr> address_of(const pb::SocketAddress& in) {
  SocketAddr out;
  if (in.port() == 0 || in.port() > 65535) {
    return fail(Errc::invalid, "port " + std::to_string(in.port()) + " is not in 1..65535");
  }
  out.port = static_cast<std::uint16_t>(in.port());
  const std::string& bytes = in.address();
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  if (bytes.size() == 4) {
    out.address = IpAddr::v4(std::uint32_t{at(0)} << 24 | std::uint32_t{at(1)} << 16 |
                             std::uint32_t{at(2)} << 8 | at(3));
  } else if (bytes.size() == 16) {
    std::array<std::uint8_t, 16> raw;
    for (std::size_t i = 0; i < 16; ++i) raw[i] = at(i);
    out.address = IpAddr::v6(raw);
  } else {
    return fail(Errc::invalid,
                "an address has " + std::to_string(bytes.size()) + " bytes, not 4 or 16");
  }
  return out;
}

Result<std::optional<milliseconds>> timeout_of(std::uint32_t ms, std::string_view what) {
  if (ms == 0) return std::optional<milliseconds>();
  if (ms > kMaxTimeoutMs) {
    return fail(Errc::invalid,
                std::string(what) + " of " + std::to_string(ms) + " ms is longer than a day");
  }
  return std::optional(milliseconds(ms));
}

Result<Protocol> protocol_of(pb::Protocol in) {
  switch (in) {
    case pb::PROTOCOL_UNSPECIFIED:
      return Protocol::detect;
    case pb::PROTOCOL_TCP:
      return Protocol::tcp;
    case pb::PROTOCOL_HTTP1:
      return Protocol::http1;
    case pb::PROTOCOL_HTTP2:
      return Protocol::http2;
    default:
      return fail(Errc::invalid, "protocol " + std::to_string(in) + " is unknown");
  }
}

Result<Target> target_of(const pb::Target& in) {
  Target out;
  TRY(out.id, label_of(in.id(), "a target's id"));
  const std::string who = "target " + quoted(in.id());
  TRY(out.address, address_of(in.address()).during(who));
  if (in.weight() > kMaxWeight) return fail(Errc::invalid, who + ": weight is above 1000000");
  out.weight = in.weight() ? in.weight() : 1;
  out.node = in.node();
  switch (in.state()) {
    case pb::TARGET_READY:
      out.state = TargetState::ready;
      break;
    case pb::TARGET_DRAINING:
      out.state = TargetState::draining;
      break;
    case pb::TARGET_GONE:
      out.state = TargetState::gone;
      break;
    default:
      return fail(Errc::invalid, who + ": state is not ready, draining or gone");
  }
  if (in.encrypted()) {
    return fail(Errc::unsupported, who + ": this proxy does not speak TLS to targets");
  }
  return out;
}

Result<TargetGroup> group_of(const pb::TargetGroup& in) {
  TargetGroup out;
  TRY(out.name, label_of(in.name(), "a target group's name"));
  const std::string who = "target group " + quoted(in.name());
  TRY(out.protocol, protocol_of(in.protocol()).during(who));
  if (!pb::Algorithm_IsValid(in.algorithm())) {
    return fail(Errc::invalid, who + ": algorithm is unknown");
  }
  if (in.algorithm() == pb::ALGORITHM_LEAST_REQUEST) out.algorithm = Algorithm::least_request;
  TRY(auto connect, timeout_of(in.connect_timeout_ms(), "connect_timeout_ms").during(who));
  TRY(auto request, timeout_of(in.request_timeout_ms(), "request_timeout_ms").during(who));
  out.connect_timeout = connect.value_or(out.connect_timeout);
  out.request_timeout = request.value_or(out.request_timeout);
  out.service = in.service().empty() ? in.name() : in.service();
  std::set<std::string_view> ids;
  out.targets.reserve(static_cast<std::size_t>(in.targets_size()));
  for (const auto& target : in.targets()) {
    if (!ids.insert(target.id()).second) {
      return fail(Errc::invalid, who + ": target " + quoted(target.id()) + " stands twice");
    }
    TRY(auto one, target_of(target).during(who));
    out.targets.push_back(std::move(one));
  }
  return out;
}

Result<StringMatch> match_of(const pb::StringMatch& in) {
  switch (in.kind_case()) {
    case pb::StringMatch::kExact:
      return StringMatch{StringMatch::How::exact, in.exact()};
    case pb::StringMatch::kPrefix:
      return StringMatch{StringMatch::How::prefix, in.prefix()};
    case pb::StringMatch::kSuffix:
      return StringMatch{StringMatch::How::suffix, in.suffix()};
    default:
      return fail(Errc::invalid, "a condition has no exact, prefix or suffix");
  }
}

Result<Condition> condition_of(const pb::Condition& in) {
  Condition out;
  switch (in.kind_case()) {
    case pb::Condition::kHost: {
      out.of = Condition::Of::host;
      TRY(auto match, match_of(in.host()));
      std::ranges::transform(match.text, match.text.begin(),
                             [](unsigned char c) { return std::tolower(c); });
      out.any.push_back(std::move(match));
      return out;
    }
    case pb::Condition::kPath: {
      out.of = Condition::Of::path;
      TRY(auto match, match_of(in.path()));
      out.any.push_back(std::move(match));
      return out;
    }
    case pb::Condition::kMethod: {
      out.of = Condition::Of::method;
      TRY(auto match, match_of(in.method()));
      out.any.push_back(std::move(match));
      return out;
    }
    case pb::Condition::kHeader: {
      out.of = Condition::Of::header;
      TRY(out.name, label_of(in.header().name(), "a condition's header name"));
      TRY(auto match, match_of(in.header().value()));
      out.any.push_back(std::move(match));
      return out;
    }
    default:
      return fail(Errc::invalid, "a condition is not host, path, method or header");
  }
}

Result<Action> forward_of(const pb::Forward& in) {
  Forward out;
  std::uint64_t sum = 0;
  for (const auto& group : in.groups()) {
    if (group.weight() > kMaxWeight)
      return fail(Errc::invalid, "a group's weight is above 1000000");
    TRY(auto name, label_of(group.target_group(), "a forward's target group"));
    // One group without a weight is the usual case, not a wish to disable it.
    const std::uint32_t weight = in.groups_size() == 1 && !group.weight() ? 1 : group.weight();
    sum += weight;
    out.groups.push_back({std::move(name), weight});
  }
  if (sum == 0) return fail(Errc::invalid, "a forward names no group with a weight above 0");
  return Action(std::move(out));
}

Result<Action> action_of(const pb::Action& in) {
  switch (in.kind_case()) {
    case pb::Action::kForward:
      return forward_of(in.forward());
    case pb::Action::kFixedResponse: {
      const auto& fixed = in.fixed_response();
      if (fixed.status() < 200 || fixed.status() > 599) {
        return fail(Errc::invalid, "a fixed response's status is not in 200..599");
      }
      if (!is_plain(fixed.content_type()) || fixed.body().size() > kMaxFixedBody) {
        return fail(Errc::invalid, "a fixed response's type is malformed or its body above 64 KiB");
      }
      return Action(
          FixedResponse{static_cast<int>(fixed.status()), fixed.content_type(), fixed.body()});
    }
    case pb::Action::kRedirect: {
      const auto& redirect = in.redirect();
      const auto status = redirect.status();
      if (status != 301 && status != 302 && status != 307 && status != 308) {
        return fail(Errc::invalid, "a redirect's status is not 301, 302, 307 or 308");
      }
      TRY(auto location, label_of(redirect.location(), "a redirect's location"));
      Redirect out;
      out.status = static_cast<int>(status);
      out.location = std::move(location);
      return Action(std::move(out));
    }
    default:
      return fail(Errc::invalid, "an action is not forward, fixed response or redirect");
  }
}

Result<std::vector<Rule>> rules_of(const pb::Listener& in) {
  std::vector<Rule> out;
  for (const auto& rule : in.rules()) {
    const std::string who = "rule " + std::to_string(rule.priority());
    Rule one;
    one.priority = rule.priority();
    for (const auto& condition : rule.conditions()) {
      TRY(auto made, condition_of(condition).during(who));
      one.conditions.push_back(std::move(made));
    }
    TRY(one.action, action_of(rule.action()).during(who));
    out.push_back(std::move(one));
  }
  std::ranges::stable_sort(out, {}, &Rule::priority);
  const auto twice = std::ranges::adjacent_find(out, {}, &Rule::priority);
  if (twice != out.end()) {
    return fail(Errc::invalid, "two rules have the priority " + std::to_string(twice->priority));
  }
  return out;
}

Result<std::vector<InboundPort>> inbound_ports_of(const pb::Listener& in) {
  std::vector<InboundPort> out;
  for (const auto& port : in.inbound_ports()) {
    if (port.port() == 0 || port.port() > 65535) {
      return fail(Errc::invalid,
                  "inbound port " + std::to_string(port.port()) + " is not in 1..65535");
    }
    InboundPort one;
    one.port = static_cast<std::uint16_t>(port.port());
    TRY(one.protocol, protocol_of(port.protocol()));
    one.service = port.service();
    out.push_back(std::move(one));
  }
  std::ranges::stable_sort(out, {}, &InboundPort::port);
  const auto twice = std::ranges::adjacent_find(out, {}, &InboundPort::port);
  if (twice != out.end()) {
    return fail(Errc::invalid, "inbound port " + std::to_string(twice->port) + " stands twice");
  }
  return out;
}

Result<Listener> listener_of(const pb::Listener& in) {
  Listener out;
  TRY(out.name, label_of(in.name(), "a listener's name"));
  const std::string who = "listener " + quoted(in.name());
  switch (in.kind()) {
    case pb::LISTENER_HTTP:
      out.kind = ListenerKind::http;
      break;
    case pb::LISTENER_TCP:
      out.kind = ListenerKind::tcp;
      break;
    case pb::LISTENER_OUTBOUND:
      out.kind = ListenerKind::outbound;
      break;
    case pb::LISTENER_INBOUND:
      out.kind = ListenerKind::inbound;
      break;
    default:
      return fail(Errc::invalid, who + ": kind is not http, tcp, outbound or inbound");
  }
  TRY(out.socket, label_of(in.socket(), "its socket's name").during(who));
  TRY(out.rules, rules_of(in).during(who));
  TRY(out.inbound_ports, inbound_ports_of(in).during(who));
  TRY(out.idle_timeout, timeout_of(in.idle_timeout_ms(), "idle_timeout_ms").during(who));
  TRY(out.header_timeout, timeout_of(in.header_timeout_ms(), "header_timeout_ms").during(who));
  if (in.has_default_action()) {
    TRY(auto action, action_of(in.default_action()).during(who + ": default action"));
    out.default_action = std::move(action);
  }
  const bool forwards = out.default_action && std::holds_alternative<Forward>(*out.default_action);
  if (out.kind == ListenerKind::tcp && !forwards) {
    return fail(Errc::invalid, who + ": a TCP listener's default action must be a forward");
  }
  return out;
}

Result<Snapshot> snapshot_of(const pb::Snapshot& in) {
  Snapshot out;
  out.revision = in.revision();
  std::set<std::string_view> names;
  for (const auto& listener : in.listeners()) {
    if (!names.insert(listener.name()).second) {
      return fail(Errc::invalid, "listener " + quoted(listener.name()) + " stands twice");
    }
    TRY(auto one, listener_of(listener));
    out.listeners.push_back(std::move(one));
  }
  names.clear();
  for (const auto& group : in.target_groups()) {
    if (!names.insert(group.name()).second) {
      return fail(Errc::invalid, "target group " + quoted(group.name()) + " stands twice");
    }
    TRY(auto one, group_of(group));
    out.groups.push_back(std::move(one));
  }
  return out;
}

Result<ConfigMessage> update_of(const pb::TargetGroupUpdate& in) {
  switch (in.kind_case()) {
    case pb::TargetGroupUpdate::kPut: {
      TRY(auto group, group_of(in.put()));
      return ConfigMessage(std::move(group));
    }
    case pb::TargetGroupUpdate::kRemove: {
      TRY(auto name, label_of(in.remove(), "a removed target group's name"));
      return ConfigMessage(GroupRemoved{std::move(name)});
    }
    default:
      return fail(Errc::invalid, "a target group update neither puts nor removes");
  }
}

Result<ConfigMessage> message_of(const pb::ConfigMessage& in) {
  switch (in.kind_case()) {
    case pb::ConfigMessage::kSnapshot: {
      TRY(auto snapshot, snapshot_of(in.snapshot()));
      return ConfigMessage(std::move(snapshot));
    }
    case pb::ConfigMessage::kTargetGroup:
      return update_of(in.target_group());
    case pb::ConfigMessage::kResolved: {
      TRY(auto destination, address_of(in.resolved().destination()));
      return ConfigMessage(Resolved{destination, in.resolved().target_group()});
    }
    default:
      return fail(Errc::invalid, "the message is of no kind that this proxy knows");
  }
}

void put_address(const SocketAddr& in, pb::SocketAddress* out) {
  const auto& bytes = in.address.bytes();
  out->set_address(reinterpret_cast<const char*>(bytes.data()), in.address.is_v4() ? 4 : 16);
  out->set_port(in.port);
}

}  // namespace

Decoded decode(std::string_view bytes) {
  pb::ConfigMessage message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return {0, fail(Errc::invalid, "the configuration message is not valid protobuf")};
  }
  return {message.snapshot().revision(), message_of(message)};
}

std::string encode_hello(std::string_view proxy_id, std::string_view version) {
  pb::ProxyMessage message;
  message.mutable_hello()->set_proxy_id(std::string(proxy_id));
  message.mutable_hello()->set_version(std::string(version));
  return message.SerializeAsString();
}

std::string encode_resolve(const SocketAddr& destination) {
  pb::ProxyMessage message;
  put_address(destination, message.mutable_resolve()->mutable_destination());
  return message.SerializeAsString();
}

std::string encode_release(std::string_view group) {
  pb::ProxyMessage message;
  message.mutable_release()->set_target_group(std::string(group));
  return message.SerializeAsString();
}

std::string encode_ack(std::uint64_t revision, std::string_view error) {
  pb::ProxyMessage message;
  message.mutable_ack()->set_revision(revision);
  message.mutable_ack()->set_error(std::string(error));
  return message.SerializeAsString();
}

}  // namespace heddle::snapshot
