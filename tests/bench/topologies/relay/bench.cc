// How much later than asked for packets arrive through the relay: 50 ms ± 5 ms, 50,000 packets a
// second. From the sender's call to the receiving kernel's time stamp, against the delay that the
// seed gives each packet, and the relay's own account. Arguments: seconds (10), packets a second
// (50000), `defect`: the link delays 0.3 ms more than the packets are compared with.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include "common/base/check.h"
#include "dataplane/netns/netns.h"
#include "tests/support/lab_links/world.h"
#include "topologies/engine/plan/settings.h"

namespace heddle::testing {
namespace {

using namespace std::chrono_literals;

constexpr auto kAim = 200us;  // p99
constexpr std::size_t kBytes = 200;

struct Datagram {
  std::uint64_t number;
  std::int64_t sent_ns;
};

std::int64_t realtime_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

// Both ends run before the rest of the machine, as the relay does: their delays are not its.
void run_before_others() {
  sched_param parameters{};
  parameters.sched_priority = 5;
  ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &parameters);
}

void send_all(int socket, std::uint64_t count, double rate) {
  run_before_others();
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(7000);
  to.sin_addr.s_addr = htonl(0x0a000002);
  std::array<char, kBytes> bytes{};
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t n = 0; n < count; ++n) {
    const auto due = start + std::chrono::nanoseconds(
                                 static_cast<std::int64_t>(static_cast<double>(n) * 1e9 / rate));
    if (const auto now = std::chrono::steady_clock::now(); due > now + 100us)
      std::this_thread::sleep_for(due - now);
    const Datagram datagram{n, realtime_ns()};
    std::memcpy(bytes.data(), &datagram, sizeof datagram);
    ::sendto(socket, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to),
             sizeof to);
  }
}

// By how much each packet was late, from the kernel's time stamps.
void receive_all(int socket, const heddle_wire_settings& settings, const std::atomic<bool>& sent,
                 relay::Histogram& late, std::uint64_t& early) {
  std::array<char, 2048> bytes;
  alignas(cmsghdr) std::array<char, 128> control;
  pollfd polled{socket, POLLIN, 0};
  while (::poll(&polled, 1, 300) > 0 || !sent) {
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(socket, &message, MSG_DONTWAIT) < static_cast<ssize_t>(sizeof(Datagram)))
      continue;
    Datagram datagram;
    std::memcpy(&datagram, bytes.data(), sizeof datagram);
    timespec at{};
    std::memcpy(&at, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof at);
    const std::int64_t took = at.tv_sec * 1'000'000'000LL + at.tv_nsec - datagram.sent_ns;
    const auto wanted = static_cast<std::int64_t>(heddle_wire_delay_ns(&settings, datagram.number));
    early += took < wanted;
    late.add(std::chrono::nanoseconds(took - wanted));
  }
}

void print(const char* what, const relay::Histogram& late) {
  const auto us = [&](double share) {
    return static_cast<double>(late.quantile(share).count()) / 1e3;
  };
  std::printf("%-22s late by p50 %.0f us, p99 %.0f us, p99.9 %.0f us, most %.0f us\n", what,
              us(0.5), us(0.99), us(0.999), static_cast<double>(late.max().count()) / 1e3);
}

int measure(int seconds, double rate, bool defect) {
  World world(two_nodes("{forward: {delay: 50ms, jitter: 5ms, limit: 100000}}"));
  const plan::Wire& wire = world.plan().wires.at(0);
  const auto settings = plan::wire_settings(wire.impair.forward, wire.forward_key);
  if (defect) {
    format::Impairment later = wire.impair.forward;
    later.delay += 300us;
    CHECK(world.links().impair("a:eth1", later, std::nullopt).has_value());
  }
  const UniqueFd a = netns::open(world.netns("a")).value();
  const UniqueFd b = netns::open(world.netns("b")).value();
  const UniqueFd to = netns::bind_udp(b.get(), SocketAddr::parse("10.0.0.2:7000").value()).value();
  const UniqueFd from = netns::bind_udp(a.get(), SocketAddr::parse("10.0.0.1:0").value()).value();
  const int buffer = 64 << 20;
  const int on = 1;
  ::setsockopt(to.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  ::setsockopt(from.get(), SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  ::setsockopt(to.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);

  const auto count = static_cast<std::uint64_t>(rate * seconds);
  std::atomic<bool> sent{false};
  std::thread sender([&] {
    send_all(from.get(), count, rate);
    sent = true;
  });
  relay::Histogram late;
  std::uint64_t early = 0;
  receive_all(to.get(), settings, sent, late, early);
  sender.join();

  const auto status = world.status("a:eth1");
  control::Fidelity fidelity;
  world.links().add_to(fidelity);
  std::printf(
      "%llu packets at %.0f a second through %s: %llu arrived, %llu early, %llu over the "
      "limit, %llu not fetched in time%s\n",
      static_cast<unsigned long long>(count), rate, status.backend.c_str(),
      static_cast<unsigned long long>(late.count()), static_cast<unsigned long long>(early),
      static_cast<unsigned long long>(status.forward.overflowed),
      static_cast<unsigned long long>(fidelity.overrun),
      fidelity.realtime ? "" : "; without SCHED_FIFO");
  print("sender to receiver:", late);
  std::printf("%-22s late by p50 %lld us, p99 %lld us, most %lld us\n",
              "the relay's account:", static_cast<long long>(fidelity.late_p50.count()),
              static_cast<long long>(fidelity.late_p99.count()),
              static_cast<long long>(fidelity.late_max.count()));
  const bool met = late.quantile(0.99) <= kAim && late.count() == count && early == 0;
  std::printf("aim: p99 at most %lld us, nothing early or lost: %s\n",
              static_cast<long long>(kAim.count()), met ? "met" : "MISSED");
  return met ? 0 : 1;
}

}  // namespace
}  // namespace heddle::testing

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 10;
  const double rate = argc > 2 ? std::atof(argv[2]) : 50'000;
  return heddle::testing::measure(seconds, rate, argc > 3 && argv[3] == std::string_view("defect"));
}
