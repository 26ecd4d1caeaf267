#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"

namespace heddle::test {

// A container engine that says what it is told to, on a socket of its own: a Docker of API 1.41
// with the containers that were put, or anything else, byte by byte.
class FakeEngine final {
 public:
  FakeEngine();
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;
  ~FakeEngine();

  const std::string& socket() const { return socket_; }

  // `digit` repeated 64 times: an id.
  static std::string id(char digit) { return std::string(64, digit); }

  struct Container {
    std::string id;
    std::string name;
    std::string status = "running";
    long pid = 0;
    std::string network_mode = "none";
    std::string more;  // further members, as `,"Config":{...}`
  };
  void put(const Container& container);
  void remove(const std::string& id);
  // To all who listen for events.
  void emit(const std::string& action, const std::string& id, const std::string& attributes = "{}");
  void emit_raw(const std::string& text);

  // The answer to every request whose target contains `part`, as it is; none: they are kept
  // waiting.
  void answer(const std::string& part, std::optional<std::string> bytes);
  void answer_as_before(const std::string& part);
  static std::string http(int status, const std::string& body, const std::string& headers = "");

  // All connections break. Between stop() and start() nobody listens.
  void stop();
  void start();

  std::vector<std::string> requests() const;  // targets, in order
  struct Request {
    std::string method;
    std::string target;
    std::string body;
  };
  Request last_request() const;
  std::size_t count(const std::string& part) const;
  std::size_t listeners() const;  // open streams of events

 private:
  void accept_all(int listener);
  void serve(int fd);
  std::string respond(const std::string& target);
  static std::string inspect(const Container& container);

  std::string directory_;
  std::string socket_;
  mutable std::mutex mutex_;
  std::map<std::string, Container> containers_;
  std::vector<std::pair<std::string, std::optional<std::string>>> answers_;
  std::vector<Request> requests_;
  std::vector<int> streams_;
  std::vector<int> waiting_;
  long next_time_ = 1'700'000'000;
  UniqueFd listener_;
  std::thread thread_;
};

}  // namespace heddle::test
