#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace heddle::engine {

// HTTP/1.1 to a unix socket, one request to a connection (RFC 9112). The other side may be broken
// or slow: every wait ends at its deadline or when `interrupt` (an eventfd, borrowed; -1: none) can
// be read, and nothing grows past its bound. Threads: one caller at a time; calls block. Errors:
// `unavailable` when nobody listens, or the connection breaks; `timeout` and `cancelled` as above;
// `internal` for bytes that are not HTTP, or too many of them.
struct Answer {
  int status = 0;
  std::string api_version;  // the header Api-Version; ""
  std::string body;
};
struct Request {
  std::string socket;
  std::string target;  // /containers/json
  int interrupt = -1;
  std::string method = "GET";
  std::string body{};  // JSON; empty: none
};
inline constexpr std::size_t kMaxBody = 16 << 20;
Result<Answer> exchange(const Request& request, Deadline deadline);

// An answer that does not end: one line after another.
class LineStream final {
 public:
  static constexpr std::size_t kMaxLine = 256 << 10;

  // Returns when the request is sent: engines answer when there is something to tell.
  static Result<std::unique_ptr<LineStream>> open(const Request& request, Deadline deadline);
  ~LineStream();

  enum class Got { line, nothing };
  // A line, without its end; nothing at the deadline or when `wake` (an eventfd, borrowed) can be
  // read. Errors: `unavailable` when the answer ends, or its status is not 200.
  Result<Got> next(std::string& line, Deadline deadline, int wake);

 private:
  struct Impl;
  explicit LineStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::engine
