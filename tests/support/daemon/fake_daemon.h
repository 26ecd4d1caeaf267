#pragma once
#include <memory>
#include <string>
#include <vector>

#include "common/base/error.h"

namespace heddle::test {

// A heddled without a kernel: listens on a socket of its own, remembers what it was asked and
// answers what it was told, an empty message where it was told nothing.
class FakeDaemon final {
 public:
  struct Call {
    std::string method;   // of netd/api/heddle.proto
    std::string request;  // protobuf's text, on one line
    friend bool operator==(const Call&, const Call&) = default;
  };

  FakeDaemon();
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;
  ~FakeDaemon();

  const std::string& socket() const { return socket_; }
  void reply(const std::string& method, const std::string& text);  // protobuf's text
  void fail(const std::string& method, Error error);
  void stall(const std::string& method);  // answers only once the caller has gone
  void stop();                            // nobody listens any more
  std::vector<Call> calls() const;

 private:
  struct Impl;
  std::string socket_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::test
