#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "proxy/balance/load.h"
#include "proxy/snapshot/config.h"
#include "proxy/telemetry/handles.h"
#include "proxy/upstream/connection.h"
#include "proxy/upstream/http2_connection.h"

namespace heddle::upstream {

class Lease;

// One use of a target, known to it so that it can be ended.
class Use : public boost::intrusive::list_base_hook<
                boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual void target_gone() = 0;

 protected:
  ~Use() = default;
};

// One target of a group on one core: its load, its idle connections, and who uses it now.
// Kept alive by leases after its group dropped it. Threads: the core's.
class Target {
 public:
  static constexpr std::size_t kMaxIdle = 256;
  // Below nginx's default of 75 s, so that we close first.
  static constexpr std::chrono::seconds kIdleTimeout{55};
  // How often an idle connection is looked at, to close what the other side closed.
  static constexpr std::chrono::seconds kIdleCheck{5};
  static constexpr std::chrono::seconds kFailureMemory{10};

  Target(const snapshot::Target& config, std::shared_ptr<telemetry::TargetMetrics> metrics,
         std::shared_ptr<balance::Vitals> vitals, io::DeadlineQueue& deadlines);
  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  const std::string& id() const { return id_; }
  const std::string& label() const { return label_; }  // `10.0.0.1:80`
  const SocketAddr& address() const { return address_; }
  asio::ip::tcp::endpoint endpoint() const { return endpoint_; }
  balance::Load& load() { return load_; }
  const balance::Load& load() const { return load_; }
  telemetry::TargetMetrics& metrics() { return *metrics_; }
  balance::Vitals& vitals() { return *vitals_; }

  // Weight and state of a new configuration. `gone` ends everything that is under way.
  void apply(const snapshot::Target& config);
  void retire();
  // Nothing new from now on; what is under way has until then.
  void drain(Deadline until);
  bool is_gone() const { return gone_; }

  // A response's head came, so long after its request went out.
  void answered(std::chrono::nanoseconds latency, Deadline now);

  void remember_failure(Deadline now);
  void forget_failure() { load_.failing_until = Deadline::min(); }

 private:
  friend class Lease;
  friend struct Connection;
  using Uses = boost::intrusive::list<Use, boost::intrusive::constant_time_size<false>>;

  std::unique_ptr<Connection> take_idle();
  void put_idle(std::unique_ptr<Connection> connection);
  void check_idle(Connection& connection);
  static void drain_expired(void* self) { static_cast<Target*>(self)->retire(); }
  // A connection with room for one more request; nullptr if there is none.
  std::shared_ptr<Http2Connection> find_shared();
  void add_shared(std::shared_ptr<Http2Connection> connection);
  void retire_shared();

  const std::string id_;
  const SocketAddr address_;
  const std::string label_;
  const asio::ip::tcp::endpoint endpoint_;
  const std::shared_ptr<telemetry::TargetMetrics> metrics_;
  const std::shared_ptr<balance::Vitals> vitals_;
  io::DeadlineQueue& deadlines_;
  balance::Load load_;
  bool gone_ = false;
  io::DeadlineQueue::Entry drained_{&Target::drain_expired, this};
  std::vector<std::unique_ptr<Connection>> idle_;  // last in, first out
  std::vector<std::shared_ptr<Http2Connection>> shared_;
  Uses uses_;
};

asio::ip::tcp::endpoint endpoint_of(const SocketAddr& address);

}  // namespace heddle::upstream
