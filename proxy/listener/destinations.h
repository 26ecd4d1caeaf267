#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/net/ip.h"
#include "proxy/control/destination_use.h"

namespace heddle::listener {

// Which group serves an original destination, as one core knows it. Threads: the core's.
class Destinations {
 public:
  using Ask = std::function<void(SocketAddr)>;  // of the control side; thread-safe
  Destinations(asio::any_io_executor executor, Ask ask)
      : ask_(std::move(ask)), changed_(executor) {}

  struct Answer {
    std::string group;  // empty: pass through
    std::shared_ptr<control::DestinationUse> use;
  };
  // Asks heddled about an unknown destination and waits. nullopt if there is no answer by the
  // deadline, or heddled is not there: the connection passes through.
  Task<std::optional<Answer>> find(SocketAddr destination, Deadline deadline);
  // Waits for any change (a group that was named but has not come yet).
  Task<> wait_for_change(Deadline deadline);

  void put(const SocketAddr& destination, Answer answer);
  void remove(const SocketAddr& destination) { answers_.erase(destination); }
  void set_connected(int connected);
  void notify() { changed_.cancel(); }

 private:
  Ask ask_;
  std::map<SocketAddr, Answer> answers_;
  asio::steady_timer changed_;  // all waiters wait on it; cancelled at each change
  int connected_ = 0;
};

}  // namespace heddle::listener
