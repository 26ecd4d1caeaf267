#include "proxy/listener/tcp_exchange.h"

#include "proxy/listener/local_answer.h"
#include "proxy/listener/relay.h"
#include "proxy/upstream/lease.h"

namespace heddle::listener {
namespace {

constexpr std::string_view kPassThrough = "passthrough";

struct Finished {
  std::string_view service;
  std::string_view target;
  std::string_view reason;
  int attempts = 0;
  RelayCount count;
  Deadline started;
};

void record(Ingress& ingress, const Client& client, const Finished& finished) {
  if (finished.reason.empty()) {
    ingress.requests_of(std::string(finished.service))
        .tcp_finished(finished.count.from_client, finished.count.from_target);
  }
  if (!ingress.core.access_log.wants(finished.reason.empty() ? 200 : 502)) return;
  telemetry::AccessRecord line;
  line.at = std::chrono::system_clock::now();
  line.kind = "tcp";
  line.listener = ingress.config->name;
  line.client = client.address;
  line.reason = finished.reason;
  line.service = finished.service;
  line.target = finished.target;
  line.attempts = finished.attempts;
  line.bytes_in = finished.count.from_client;
  line.bytes_out = finished.count.from_target;
  line.duration = std::chrono::steady_clock::now() - finished.started;
  ingress.core.access_log.write(line);
}

Failure failure_of(const Error& error) {
  return error.code() == Errc::timeout ? Failure::connect_timeout : Failure::connect_failed;
}

Task<RelayCount> relay_lease(Ingress& ingress, Client& client, upstream::Lease& lease) {
  const ConnectionPeer scope(client, lease.connection().stream);
  const RelayEnd near{client.stream, client.in};
  const RelayEnd far{lease.connection().stream, lease.connection().in};
  co_return co_await relay(near, far, ingress.tunnel_idle());
}

}  // namespace

Task<> relay_to_group(Ingress& ingress, Client& client, upstream::Group& group) {
  const std::string service = group.config().service;
  std::vector<std::shared_ptr<upstream::Target>> failed;
  Failure failure = Failure::none;
  Finished finished;
  finished.service = service;
  finished.started = std::chrono::steady_clock::now();
  group.retries().count_request();
  while (!client.stream.aborted()) {
    std::vector<balance::Load*> tried;
    for (const auto& target : failed) tried.push_back(&target->load());
    const route::Affinity affinity{route::hash_of_client(group.config(), client.address)};
    auto target = group.pick(tried, std::chrono::steady_clock::now(), affinity);
    if (!target) {
      if (failure == Failure::none) group.metrics().no_target();
      break;
    }
    auto open = group.take(&upstream::Budgets::connections);
    if (!open) {
      group.metrics().overloaded();
      failure = Failure::overloaded;
      break;
    }
    ++finished.attempts;
    upstream::Lease lease(target);
    const Deadline deadline = after(group.config().connect_timeout);
    const auto connected = co_await lease.connect(ingress.core.executor, deadline);
    group.judge(*target, connected.has_value(), std::chrono::steady_clock::now());
    if (connected) {
      finished.count = co_await relay_lease(ingress, client, lease);
      finished.target = target->label();
      record(ingress, client, finished);
      co_return;
    }
    failure = failure_of(connected.error());
    failed.push_back(target);
    if (finished.attempts >= ingress.core.settings.max_attempts || !group.retries().take()) break;
    group.metrics().retried();
  }
  finished.reason = name_of(failure == Failure::none ? Failure::no_ready_target : failure);
  record(ingress, client, finished);
  client.stream.reset();
}

Task<> pass_through(Ingress& ingress, Client& client, SocketAddr destination) {
  Finished finished;
  finished.service = kPassThrough;
  finished.started = std::chrono::steady_clock::now();
  finished.attempts = 1;
  const std::string target = destination.format();
  finished.target = target;
  io::ReadBuffer back;
  io::Stream stream(io::Stream::Socket(ingress.core.executor), ingress.core.deadlines);
  const ConnectionPeer scope(client, stream);
  // As patient as the kernel would have been with the client itself.
  const Deadline deadline = after(std::chrono::minutes(2));
  const auto connected = co_await stream.connect(upstream::endpoint_of(destination), deadline);
  if (!connected) {
    finished.reason = name_of(failure_of(connected.error()));
    record(ingress, client, finished);
    client.stream.reset();
    co_return;
  }
  stream.tune();
  const RelayEnd near{client.stream, client.in};
  const RelayEnd far{stream, back};
  finished.count = co_await relay(near, far, ingress.tunnel_idle());
  record(ingress, client, finished);
}

}  // namespace heddle::listener
