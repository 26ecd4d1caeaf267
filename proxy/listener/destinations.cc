#include "proxy/listener/destinations.h"

namespace heddle::listener {

Task<> Destinations::wait_for_change(Deadline deadline) {
  // Waiters share the timer: the earliest deadline wakes all, each looks at its own again.
  if (changed_.expiry() <= std::chrono::steady_clock::now() || changed_.expiry() > deadline) {
    changed_.expires_at(deadline);
  }
  const auto [ec] = co_await changed_.async_wait(nothrow);
  (void)ec;
}

Task<std::optional<Destinations::Answer>> Destinations::find(SocketAddr destination,
                                                             Deadline deadline) {
  while (true) {
    const auto found = answers_.find(destination);
    if (found != answers_.end()) co_return found->second;
    if (!connected_ || std::chrono::steady_clock::now() >= deadline) co_return std::nullopt;
    ask_(destination);
    co_await wait_for_change(deadline);
  }
}

void Destinations::put(const SocketAddr& destination, Answer answer) {
  answers_.insert_or_assign(destination, std::move(answer));
  notify();
}

void Destinations::set_connected(int connected) {
  connected_ = connected;
  notify();
}

}  // namespace heddle::listener
