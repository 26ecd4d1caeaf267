#pragma once
#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "common/base/unique_fd.h"
#include "common/net/ip.h"

namespace heddle::peer {

// A name server that gives every name one IPv4 address, over UDP, and remembers what it was asked.
class Upstream final {
 public:
  Upstream(const std::string& sandbox, const SocketAddr& address, std::string answer);
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;
  ~Upstream();

  bool was_asked(const std::string& name) const;

 private:
  void run();

  UniqueFd socket_;
  std::string answer_;
  mutable std::mutex mutex_;
  std::set<std::string> asked_;  // lower case
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace heddle::peer
