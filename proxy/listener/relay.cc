#include "proxy/listener/relay.h"

#include <boost/asio/this_coro.hpp>

#include "common/async/task_group.h"

namespace heddle::listener {
namespace {

constexpr std::size_t kRelayBytes = 32 << 10;

struct Activity {
  Deadline last;
  bool failed = false;
};

// One direction.
Task<> pump(RelayEnd from, RelayEnd to, std::chrono::milliseconds idle, Activity& activity,
            std::uint64_t& count) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (true) {
    if (from.in.empty()) {
      const auto n = co_await from.stream.read_some(from.in, kRelayBytes, activity.last + idle);
      if (!n && n.error().code() == Errc::timeout &&
          activity.last + idle > std::chrono::steady_clock::now()) {
        continue;  // the other direction is alive
      }
      if (!n) break;
      if (*n == 0) {
        to.stream.shutdown_send();
        co_return;
      }
    }
    activity.last = std::chrono::steady_clock::now();
    count += from.in.size();
    const io::Pieces bytes{from.in.view()};
    const auto written = co_await to.stream.write_all(bytes, activity.last + idle);
    if (!written) break;
    from.in.consume(from.in.size());
  }
  activity.failed = true;
  from.stream.abort();
  to.stream.abort();
}

}  // namespace

Task<RelayCount> relay(RelayEnd client, RelayEnd target, std::chrono::milliseconds idle) {
  RelayCount count;
  Activity activity{std::chrono::steady_clock::now()};
  TaskGroup back(co_await asio::this_coro::executor);
  back.spawn(pump(target, client, idle, activity, count.from_target));
  co_await pump(client, target, idle, activity, count.from_client);
  co_await back.join();
  if (activity.failed) {
    // Neither side may take a broken stream for a finished one.
    client.stream.reset();
    target.stream.reset();
  }
  co_return count;
}

}  // namespace heddle::listener
