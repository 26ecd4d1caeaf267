#include "tests/bench/dataplane/stream/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "common/base/unique_fd.h"
#include "dataplane/netns/netns.h"

namespace heddle::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPort = 9000;
constexpr int kDatagram = 1472;
constexpr int kDatagramsInBatch = 40;

UniqueFd socket_in(const std::string& sandbox, int type) {
  UniqueFd fd;
  const auto netns = netns::open(sandbox);
  CHECK(netns.has_value());
  const auto opened = netns::run_in(netns->get(), [&]() -> Result<> {
    fd.reset(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    return {};
  });
  CHECK(opened.has_value() && fd.get() >= 0);
  // Cubic: the machine's own choice paces by itself.
  if (type == SOCK_STREAM) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

sockaddr_in name_of(const IpAddr& address) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(kPort);
  name.sin_addr.s_addr = address.v4_be();
  return name;
}

void pin_thread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

double cpu_of_thread() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

Carried measure(int from, int to, std::size_t block_size, const Stream& stream) {
  std::atomic<bool> stop = false;
  double sender_cpu = 0;
  double receiver_cpu = 0;
  double all_bits = 0;
  std::jthread sender([&] {
    if (stream.pins) pin_thread(stream.pins->sender);
    const std::vector<char> block(block_size);
    while (!stop) {
      if (::send(from, block.data(), block.size(), MSG_NOSIGNAL) < 0 && errno == EPIPE) break;
    }
    sender_cpu = cpu_of_thread();
  });
  double rate = 0;
  std::jthread receiver([&] {
    if (stream.pins) pin_thread(stream.pins->receiver);
    std::vector<char> block(256 << 10);
    const auto start = Clock::now() + stream.warm_up;
    const auto end = start + stream.time;
    double bits = 0;
    auto now = Clock::now();
    while (now < end) {
      const ssize_t size = ::recv(to, block.data(), block.size(), 0);
      now = Clock::now();
      const double arrived = size > 0 ? static_cast<double>(size) * 8 : 0;
      all_bits += arrived;
      if (now >= start) bits += arrived;
    }
    receiver_cpu = cpu_of_thread();
    rate = bits / std::chrono::duration<double>(now - start).count();
  });
  receiver.join();
  stop = true;
  ::shutdown(to, SHUT_RDWR);
  sender.join();
  return {rate, all_bits / (sender_cpu + receiver_cpu)};
}

}  // namespace

Carried tcp_goodput(const Stream& stream) {
  const UniqueFd listener = socket_in(stream.to, SOCK_STREAM);
  const UniqueFd client = socket_in(stream.from, SOCK_STREAM);
  const sockaddr_in name = name_of(stream.address);
  const auto* raw = reinterpret_cast<const sockaddr*>(&name);
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  CHECK(::bind(listener.get(), raw, sizeof name) == 0 && ::listen(listener.get(), 1) == 0);
  CHECK(::connect(client.get(), raw, sizeof name) == 0);
  const UniqueFd server(::accept(listener.get(), nullptr, nullptr));
  CHECK(server.get() >= 0);
  return measure(client.get(), server.get(), 128 << 10, stream);
}

Carried udp_goodput(const Stream& stream) {
  const UniqueFd server = socket_in(stream.to, SOCK_DGRAM);
  const UniqueFd client = socket_in(stream.from, SOCK_DGRAM);
  const sockaddr_in name = name_of(stream.address);
  const auto* raw = reinterpret_cast<const sockaddr*>(&name);
  const int buffer = 4 << 20;
  ::setsockopt(server.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  CHECK(::bind(server.get(), raw, sizeof name) == 0);
  CHECK(::connect(client.get(), raw, sizeof name) == 0);
  const int segment = kDatagram;
  const bool batches =
      ::setsockopt(client.get(), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0;
  return measure(client.get(), server.get(),
                 static_cast<std::size_t>(batches ? kDatagram * kDatagramsInBatch : kDatagram),
                 stream);
}

}  // namespace heddle::bench
