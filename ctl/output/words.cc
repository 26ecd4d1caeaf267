#include "ctl/output/words.h"

#include <ctime>

namespace heddle::output {

std::string_view word(model::WorkloadKind kind) {
  switch (kind) {
    case model::WorkloadKind::run:
      return "run";
    case model::WorkloadKind::netns:
      return "netns";
    case model::WorkloadKind::pid:
      return "pid";
    case model::WorkloadKind::load_balancer:
      return "load-balancer";
    case model::WorkloadKind::docker:
      return "docker";
    case model::WorkloadKind::podman:
      return "podman";
  }
  return "?";
}

std::string_view word(model::RestartPolicy policy) {
  switch (policy) {
    case model::RestartPolicy::no:
      return "no";
    case model::RestartPolicy::on_failure:
      return "on-failure";
    case model::RestartPolicy::always:
      return "always";
  }
  return "?";
}

std::string_view word(model::WorkloadState state) {
  switch (state) {
    case model::WorkloadState::starting:
      return "starting";
    case model::WorkloadState::running:
      return "running";
    case model::WorkloadState::exited:
      return "exited";
    case model::WorkloadState::gone:
      return "gone";
  }
  return "?";
}

std::string_view word(model::Protocol protocol) {
  return protocol == model::Protocol::udp ? "udp" : "tcp";
}

std::string_view word(model::PublishedProtocol protocol) {
  switch (protocol) {
    case model::PublishedProtocol::tcp:
      return "tcp";
    case model::PublishedProtocol::udp:
      return "udp";
    case model::PublishedProtocol::sctp:
      return "sctp";
  }
  return "?";
}

std::string_view word(model::AppProtocol protocol) {
  switch (protocol) {
    case model::AppProtocol::automatic:
      return "automatic";
    case model::AppProtocol::tcp:
      return "tcp";
    case model::AppProtocol::http1:
      return "http1";
    case model::AppProtocol::http2:
      return "http2";
  }
  return "?";
}

std::string_view word(model::EndpointState state) {
  switch (state) {
    case model::EndpointState::starting:
      return "starting";
    case model::EndpointState::ready:
      return "ready";
    case model::EndpointState::draining:
      return "draining";
    case model::EndpointState::gone:
      return "gone";
  }
  return "?";
}

std::string_view word(model::NodeRole role) {
  return role == model::NodeRole::manager ? "manager" : "worker";
}

std::string_view word(model::NodeStatus status) {
  switch (status) {
    case model::NodeStatus::unknown:
      return "unknown";
    case model::NodeStatus::ready:
      return "ready";
    case model::NodeStatus::down:
      return "down";
  }
  return "?";
}

std::string_view word(model::Availability availability) {
  switch (availability) {
    case model::Availability::active:
      return "active";
    case model::Availability::pause:
      return "pause";
    case model::Availability::drain:
      return "drain";
  }
  return "?";
}

std::string_view word(model::LbAlgorithm algorithm) {
  return algorithm == model::LbAlgorithm::least_request ? "least-request" : "round-robin";
}

std::string format(model::Time time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  if (seconds == 0 || gmtime_r(&seconds, &parts) == nullptr) return "";
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string format(const model::ServicePort& port) {
  std::string text = port.name.empty() ? "" : port.name + "=";
  text += std::to_string(port.port) + "/" + std::string(word(port.protocol));
  if (port.app != model::AppProtocol::automatic) text += "/" + std::string(word(port.app));
  return text;
}

namespace {

std::string range(unsigned first, unsigned count) {
  std::string text = std::to_string(first);
  if (count > 1) text += "-" + std::to_string(first + count - 1);
  return text;
}

template <class Port>
std::string format_all(const std::vector<Port>& ports) {
  std::string text;
  for (const auto& port : ports) text += (text.empty() ? "" : ", ") + format(port);
  return text;
}

}  // namespace

std::string format(const std::vector<model::ServicePort>& ports) {
  return format_all(ports);
}

std::string format(const model::PublishedPort& port) {
  std::string text;
  if (port.host_address) {
    const std::string address = port.host_address->format();
    text = (port.host_address->is_v4() ? address : "[" + address + "]") + ":";
  }
  if (port.host_port != 0) text += range(port.host_port, port.count);
  if (port.host_port != 0 || port.host_address) text += ":";
  return text + range(port.port, port.count) + "/" + std::string(word(port.protocol));
}

std::string format(const std::vector<model::PublishedPort>& ports) {
  return format_all(ports);
}

}  // namespace heddle::output
