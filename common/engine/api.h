#pragma once
#include <compare>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/engine/connection.h"

// Source: Docker Engine API v1.24 to v1.52, https://docs.docker.com/reference/api/engine/; Podman
// answers the same questions alike.
namespace heddle::engine {

// 1.41, as engines name versions of their API.
struct ApiVersion {
  int major = 0;
  int minor = 0;
  std::string format() const { return std::to_string(major) + "." + std::to_string(minor); }
  friend auto operator<=>(const ApiVersion&, const ApiVersion&) = default;
};
std::optional<ApiVersion> parse_version(std::string_view text);

// The sentence in the body of a refusal, on one line; "" when there is none.
std::string parse_message(std::string_view json);

// Where an engine is, and what its user can do about it.
struct Place {
  std::string name;  // Docker
  std::string socket;
  std::string start;   // when nobody answers: `start it: ...`
  std::string look;    // when it is silent: `look at: ...`
  std::string rights;  // when it may not be asked: `heddled must be root`
};

// Asks one engine, in the newest version of the API that both sides have: 1.24 to 1.52.
// Threads: any, each call on a connection of its own; `interrupt` (an eventfd, borrowed) ends them.
// Errors: `unavailable`, `denied` and `timeout` name the socket and what to do; `unsupported` when
// no version fits; `internal` for what is no answer. A refusal is an answer: its status says so.
class Api final {
 public:
  Api(Place place, int interrupt) : place_(std::move(place)), interrupt_(interrupt) {}

  Result<Answer> get(const std::string& path, Deadline deadline) {
    return ask("GET", path, "", deadline);
  }
  Result<Answer> post(const std::string& path, const std::string& json, Deadline deadline) {
    return ask("POST", path, json, deadline);
  }
  Result<Answer> remove(const std::string& path, Deadline deadline) {
    return ask("DELETE", path, "", deadline);
  }
  // An answer of lines that does not end.
  Result<std::unique_ptr<LineStream>> stream(const std::string& path, Deadline deadline);

  // What went wrong on the way, in the words of somebody who can help.
  Error complain(Error error) const;
  // The error that an answer with a status for a refusal is.
  Error refused(const Answer& answer) const;

 private:
  Result<std::string> version(Deadline deadline);
  Result<Answer> ask(const char* method, const std::string& path, const std::string& body,
                     Deadline deadline);
  void forget_version();

  const Place place_;
  const int interrupt_;
  std::mutex mutex_;
  std::optional<ApiVersion> version_;  // agreed on; again after the engine did not answer
};

}  // namespace heddle::engine
