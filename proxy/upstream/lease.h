#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>

#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "proxy/balance/budget.h"
#include "proxy/upstream/http1_stream.h"
#include "proxy/upstream/http2_stream.h"
#include "proxy/upstream/target.h"

namespace heddle::upstream {

// One use of a target: counts as in flight while it exists, and owns the connection. When the
// target is gone, whatever waits on the connection ends with `cancelled` and is_gone() holds.
class Lease final : public Use {
 public:
  explicit Lease(std::shared_ptr<Target> target);
  ~Lease();  // closes the connection unless it was given back
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // Places in the budgets of connections, for the one that connect() or share() opens.
  void hold(balance::Slot of_group, balance::Slot of_all);
  // Takes an idle connection that is still quiet. False if there is none.
  bool reuse();
  // Errors: those of Stream::connect. A failure is remembered by the target.
  // `executor` is the caller's until the end.
  Task<Result<>> connect(const asio::any_io_executor& executor, Deadline deadline);

  // How long the peer may leave sent bytes unacknowledged. `brief` notices within seconds that a
  // host died without a word; `long_body` lets a target read a large body as slowly as it likes.
  enum class Patience { brief, long_body };
  void set_patience(Patience patience);

  // A request on the connection that reuse() or connect() gave; both references are the caller's.
  void begin_http1(const http::Limits& limits, std::string& scratch) {
    stream_ = &http1_.emplace(*connection_, limits, scratch);
  }
  // A request on a connection that others use too; opens one if none has room. Errors as connect().
  // All are the caller's for as long as the connection lives.
  Task<Result<>> share(TaskGroup& connections, const asio::any_io_executor& executor,
                       const http2::Limits& limits, Deadline deadline);
  bool has_shared() const;  // one with room
  TargetStream& stream() { return *stream_; }
  // The response came whole: another request may use the connection, unless its framing says no.
  void give_back();

  Target& target() { return *target_; }
  const std::shared_ptr<Target>& shared_target() const { return target_; }
  Connection& connection() { return *connection_; }
  bool reused() const { return reused_; }
  bool is_gone() const { return target_->is_gone(); }

 private:
  void target_gone() override;

  const std::shared_ptr<Target> target_;
  std::unique_ptr<Connection> connection_;
  std::optional<Http1Stream> http1_;
  std::unique_ptr<Http2Stream> http2_;
  TargetStream* stream_ = nullptr;
  bool reused_ = false;
  balance::Slot group_slot_;
  balance::Slot slot_;
};

}  // namespace heddle::upstream
