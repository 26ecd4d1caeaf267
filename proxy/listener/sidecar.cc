#include "proxy/listener/sidecar.h"

#include "common/observe/log.h"
#include "proxy/http2/session.h"
#include "proxy/listener/http_session.h"
#include "proxy/listener/original_destination.h"
#include "proxy/listener/tcp_exchange.h"

namespace heddle::listener {
namespace {

using snapshot::Protocol;

// Looks at the first bytes. Who speaks first to the client (SMTP, MySQL) is not kept waiting long.
Task<Protocol> detect(Ingress& ingress, Client& client) {
  const Deadline deadline = after(ingress.core.settings.detect_wait);
  while (true) {
    const auto preface = http2::match_preface(client.in.view());
    if (preface == http2::Preface::yes) co_return Protocol::http2;
    const http::Guess guess = preface == http2::Preface::begun
                                  ? http::Guess::more
                                  : http::guess_protocol(client.in.view());
    if (guess == http::Guess::http1) co_return Protocol::http1;
    if (guess == http::Guess::other && !client.in.empty()) co_return Protocol::tcp;
    const auto n = co_await client.stream.read_some(client.in, 1024, deadline);
    if (!n || *n == 0) co_return Protocol::tcp;
  }
}

// `group` is the caller's until the end.
Task<> serve_group(Ingress& ingress, Client& client, upstream::Group& group, Way way) {
  Protocol protocol = group.config().protocol;
  if (protocol == Protocol::detect) {
    protocol = co_await detect(ingress, client);
    way.detected_http2 = protocol == Protocol::http2;
  }
  if (protocol == Protocol::http1 || protocol == Protocol::http2) {
    HttpSession session(ingress, client, way);
    co_await session.run();
  } else {
    co_await relay_to_group(ingress, client, group);
  }
}

// heddled names a group before, or just after, it sends it.
Task<std::shared_ptr<upstream::Group>> wait_for_group(Core& core, const std::string& name,
                                                      Deadline deadline) {
  while (true) {
    auto group = core.find_group(name);
    if (group || std::chrono::steady_clock::now() >= deadline) co_return group;
    co_await core.destinations.wait_for_change(deadline);
  }
}

}  // namespace

Task<> serve_outbound(Ingress& ingress, Client& client, SocketAddr listening) {
  Core& core = ingress.core;
  const auto destination = original_destination(client.stream.fd());
  const auto local = local_address(client.stream.fd());
  if (!destination || *destination == listening || (local && *destination == *local)) {
    log_debug("outbound.direct", {{"listener", ingress.config->name}, {"client", client.address}});
    client.stream.reset();
    co_return;
  }
  const Deadline deadline = after(core.settings.resolve_wait);
  const auto answer = co_await core.destinations.find(*destination, deadline);
  std::shared_ptr<upstream::Group> group;
  if (answer && !answer->group.empty()) {
    group = co_await wait_for_group(core, answer->group, deadline);
  }
  const control::ActiveUse use(answer ? answer->use : nullptr);
  if (!group) {
    co_await pass_through(ingress, client, *destination);
    co_return;
  }
  Way way;
  way.group = answer->group;
  co_await serve_group(ingress, client, *group, way);
}

LocalGroups make_local_groups(Core& core, const snapshot::Listener& config, LocalGroups old) {
  LocalGroups groups;
  for (const snapshot::InboundPort& port : config.inbound_ports) {
    snapshot::TargetGroup group;
    group.name = "inbound:" + std::to_string(port.port);
    group.protocol = port.protocol;
    group.service = port.service.empty() ? group.name : port.service;
    snapshot::Target target;
    target.id = "local";
    target.address = {IpAddr::v4(0x7f000001), port.port};
    group.targets.push_back(std::move(target));
    auto& slot = groups[port.port];
    const auto kept = old.find(port.port);
    if (kept != old.end()) {
      slot = std::move(kept->second);
      slot->apply(std::move(group));
    } else {
      slot = std::make_shared<upstream::Group>(std::move(group), core.metrics, core.shared,
                                               core.deadlines, core.random.next());
    }
  }
  return groups;
}

Task<> serve_inbound(Ingress& ingress, Client& client, SocketAddr listening,
                     const LocalGroups& groups) {
  const auto local = local_address(client.stream.fd());
  if (!local || local->port == listening.port) {
    log_debug("inbound.direct", {{"listener", ingress.config->name}, {"client", client.address}});
    client.stream.reset();
    co_return;
  }
  const auto found = groups.find(local->port);
  if (found == groups.end()) {
    const SocketAddr application{IpAddr::v4(0x7f000001), local->port};
    co_await pass_through(ingress, client, application);
    co_return;
  }
  Way way;
  way.own_group = found->second;
  co_await serve_group(ingress, client, *way.own_group, way);
}

}  // namespace heddle::listener
