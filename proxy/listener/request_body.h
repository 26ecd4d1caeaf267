#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "proxy/http/body_decoder.h"
#include "proxy/listener/body_pace.h"
#include "proxy/listener/client.h"
#include "proxy/listener/settings.h"

namespace heddle::listener {

// Copies a request body that did not come whole with its head from the client to a target, framed
// again. A body that stalls, or that keeps below the least rate for longer than the grace, ends.
// Threads: the core's.
class RequestBody {
 public:
  enum class End { running, whole, malformed, timeout, client_closed, target_closed };

  RequestBody() = default;
  // `idle`: the longest wait for a byte from the client.
  void start(http::Framing framing, const Settings& settings, std::chrono::milliseconds idle);

  // On any end but `whole` and `target_closed`, aborts `target` to wake who waits for the response;
  // on those, expects the response within `response_time`.
  Task<> copy(Client& client, io::Stream& target, std::chrono::milliseconds response_time);

  bool started() const { return settings_ != nullptr; }
  End end() const { return end_; }
  std::optional<http::Refusal> refusal() const { return refusal_; }
  std::uint64_t bytes() const { return pace_.bytes; }

 private:
  Task<End> copy_all(Client& client, io::Stream& target);
  Task<End> write(io::Stream& target, std::string_view data);

  const Settings* settings_ = nullptr;
  http::Framing framing_;
  http::BodyDecoder decoder_;
  End end_ = End::whole;
  std::optional<http::Refusal> refusal_;
  BodyPace pace_{};
  std::string frame_;
};

}  // namespace heddle::listener
