#include "proxy/listener/client.h"

namespace heddle::listener {
namespace {

constexpr std::size_t kMaxLingerBytes = 256 << 10;

}  // namespace

Task<> linger(Client& client, std::chrono::milliseconds time) {
  if (client.stream.aborted()) co_return;
  client.stream.shutdown_send();
  client.stream.resume_reading();
  const Deadline deadline = after(time);
  std::size_t drained = 0;
  while (drained < kMaxLingerBytes) {
    client.in.consume(client.in.size());
    const auto n = co_await client.stream.read_some(client.in, 4096, deadline);
    if (!n || *n == 0) break;
    drained += *n;
  }
}

}  // namespace heddle::listener
