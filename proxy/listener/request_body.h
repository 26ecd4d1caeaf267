#pragma once
#include <chrono>
#include <cstdint>

#include "common/async/task.h"
#include "proxy/listener/body_pace.h"
#include "proxy/listener/client_stream.h"
#include "proxy/listener/settings.h"
#include "proxy/upstream/target_stream.h"

namespace heddle::listener {

// Copies a request body that did not come whole with its head from the client to a target. A body
// that stalls, or that keeps below the least rate for longer than the grace, ends; once the answer
// has begun, the two sides may take their time with each other. Threads: the core's.
class RequestBody {
 public:
  enum class End { running, whole, malformed, timeout, client_closed, target_closed };

  RequestBody() = default;
  // `idle`: the longest wait for a byte from the client.
  void start(const Settings& settings, std::chrono::milliseconds idle);
  // The target answers already: only `idle` counts from now on.
  void relax(std::chrono::milliseconds idle);

  // On any end but `whole` and `target_closed`, aborts `target` to wake who waits for the response;
  // on those, expects the response within `response_time`.
  Task<> copy(ClientStream& client, upstream::TargetStream& target,
              std::chrono::milliseconds response_time);

  bool started() const { return settings_ != nullptr; }
  End end() const { return end_; }
  std::uint64_t bytes() const { return pace_.bytes; }

 private:
  Task<End> copy_all(ClientStream& client, upstream::TargetStream& target);
  std::chrono::nanoseconds patience() const { return relaxed_ ? pace_.idle : pace_.patience(); }

  const Settings* settings_ = nullptr;
  End end_ = End::whole;
  BodyPace pace_{};
  bool relaxed_ = false;
};

}  // namespace heddle::listener
