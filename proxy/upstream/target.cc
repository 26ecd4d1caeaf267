#include "proxy/upstream/target.h"

#include <algorithm>

#include "proxy/route/affinity.h"
#include "proxy/upstream/lease.h"

namespace heddle::upstream {

asio::ip::tcp::endpoint endpoint_of(const SocketAddr& address) {
  if (address.address.is_v4()) {
    return {asio::ip::address_v4(address.address.v4_value()), address.port};
  }
  return {asio::ip::address_v6(address.address.bytes()), address.port};
}

void Connection::idle_expired(void* self) {
  auto* connection = static_cast<Connection*>(self);
  if (connection->idle_in) connection->idle_in->check_idle(*connection);
}

Target::Target(const snapshot::Target& config, std::shared_ptr<telemetry::TargetMetrics> metrics,
               std::shared_ptr<balance::Vitals> vitals, io::DeadlineQueue& deadlines)
    : id_(config.id),
      address_(config.address),
      label_(config.address.format()),
      endpoint_(endpoint_of(config.address)),
      metrics_(std::move(metrics)),
      vitals_(std::move(vitals)),
      deadlines_(deadlines) {
  load_.vitals = vitals_;
  load_.key = route::key_of(id_);
  apply(config);
}

Target::~Target() {
  retire_shared();
}

void Target::apply(const snapshot::Target& config) {
  load_.weight = config.weight;
  load_.level = config.level;
  const bool was_ready = load_.ready;
  load_.ready = config.state == snapshot::TargetState::ready;
  if (config.state == snapshot::TargetState::gone) {
    retire();
    return;
  }
  gone_ = false;
  if (!load_.ready) {
    idle_.clear();
    retire_shared();
  }
  if (load_.ready && !was_ready) load_.ready_since = std::chrono::steady_clock::now();
}

void Target::retire() {
  gone_ = true;
  load_.ready = false;
  idle_.clear();
  retire_shared();
  // What waits is resumed later by the executor, so the list does not change under the loop.
  for (Use& use : uses_) use.target_gone();
}

void Target::drain(Deadline until) {
  load_.ready = false;
  idle_.clear();
  deadlines_.arm(drained_, until);
}

void Target::answered(std::chrono::nanoseconds latency, Deadline now) {
  metrics_->answered();
  load_.observe(latency, now);
}

void Target::remember_failure(Deadline now) {
  load_.failing_until = now + kFailureMemory;
  idle_.clear();  // they lead to the same place
}

std::unique_ptr<Connection> Target::take_idle() {
  while (!idle_.empty()) {
    std::unique_ptr<Connection> connection = std::move(idle_.back());
    idle_.pop_back();
    connection->idle_in = nullptr;
    deadlines_.disarm(connection->idle_deadline);
    if (connection->stream.is_quiet()) return connection;
  }
  return nullptr;
}

void Target::put_idle(std::unique_ptr<Connection> connection) {
  if (!load_.ready) return;
  if (idle_.size() == kMaxIdle) idle_.erase(idle_.begin());
  connection->in.release();
  connection->idle_in = this;
  const Deadline now = std::chrono::steady_clock::now();
  connection->idle_until = now + kIdleTimeout;
  deadlines_.arm(connection->idle_deadline, now + kIdleCheck);
  idle_.push_back(std::move(connection));
}

std::shared_ptr<Http2Connection> Target::find_shared() {
  std::erase_if(shared_, [](const auto& one) { return one->is_over(); });
  for (const auto& one : shared_) {
    if (one->has_room()) return one;
  }
  return nullptr;
}

void Target::add_shared(std::shared_ptr<Http2Connection> connection) {
  shared_.push_back(std::move(connection));
}

void Target::retire_shared() {
  for (const auto& one : shared_) one->retire();
  shared_.clear();
}

void Target::check_idle(Connection& connection) {
  const Deadline now = std::chrono::steady_clock::now();
  if (now < connection.idle_until && connection.stream.is_quiet()) {
    deadlines_.arm(connection.idle_deadline, now + kIdleCheck);
    return;
  }
  std::erase_if(idle_, [&](const auto& idle) { return idle.get() == &connection; });
}

}  // namespace heddle::upstream
