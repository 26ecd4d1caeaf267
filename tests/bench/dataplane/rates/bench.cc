// How near a limited endpoint comes to its rate: the Ethernet frames of one TCP stream, and of UDP
// datagrams sent faster than the limit, as parts of the rate. Arguments: seconds of each (3).
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "dataplane/linux/kernel.h"
#include "dataplane/netns/netns.h"
#include "tests/support/host/private_host.h"

namespace heddle::dataplane {
namespace {

using Clock = std::chrono::steady_clock;

// Bytes of a full frame of an MTU of 1500 and what TCP (with timestamps) and our datagrams carry.
constexpr double kTcpShare = 1448.0 / 1514.0;
constexpr std::size_t kDatagram = 1472;
constexpr double kUdpShare = 1472.0 / 1514.0;

class NoListeners final : public ListenerSource {
 public:
  int listener(const SandboxPath&, std::uint16_t) override { return -1; }
};

void must(const Result<>& result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().text().c_str());
  CHECK(result.has_value());
}

struct Limits {
  std::uint64_t in = 0;
  std::uint64_t out = 0;
};

Attachment endpoint(const SandboxPath& sandbox, int number, const Limits& limits) {
  const auto low = static_cast<std::uint8_t>(number);
  Attachment attachment;
  attachment.host_name = "hv" + std::to_string(number);
  attachment.sandbox = sandbox;
  attachment.name = "eth0";
  attachment.host_mac = {{2, 1, 0, 0, 0, low}};
  attachment.mac = {{2, 2, 0, 0, 0, low}};
  attachment.addresses = {{IpAddr::v4(0x0a4d0000U + low), 24}};
  attachment.bridge = "hbr0";
  attachment.rate_in = limits.in;
  attachment.rate_out = limits.out;
  return attachment;
}

UniqueFd socket_in(const SandboxPath& sandbox, int type) {
  UniqueFd fd;
  const auto netns = netns::open(sandbox);
  CHECK(netns.has_value());
  must(netns::run_in(netns->get(), [&]() -> Result<> {
    fd.reset(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    return {};
  }));
  CHECK(fd.get() >= 0);
  // Cubic: the machine's own choice paces by itself.
  if (type == SOCK_STREAM) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

sockaddr_in address_of(int number) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9000);
  address.sin_addr.s_addr = htonl(0x0a4d0000U + static_cast<std::uint32_t>(number));
  return address;
}

// Sends as fast as `from` takes it; bits a second that arrive after the first half second.
double goodput(int from, int to, int seconds) {
  std::atomic<bool> stop = false;
  std::thread sender([&] {
    std::vector<char> block(kDatagram);
    while (!stop) {
      if (::send(from, block.data(), block.size(), MSG_NOSIGNAL) < 0 && errno == EPIPE) break;
    }
  });
  std::vector<char> block(256 << 10);
  const auto start = Clock::now() + std::chrono::milliseconds(500);
  const auto end = start + std::chrono::seconds(seconds);
  double bits = 0;
  auto now = Clock::now();
  while (now < end) {
    const ssize_t size = ::recv(to, block.data(), block.size(), 0);
    now = Clock::now();
    if (size > 0 && now >= start) bits += static_cast<double>(size) * 8;
  }
  stop = true;
  const double elapsed = std::chrono::duration<double>(now - start).count();
  ::shutdown(to, SHUT_RDWR);
  sender.join();
  return bits / elapsed;
}

double tcp(const SandboxPath& from, const SandboxPath& to, int number, int seconds) {
  const UniqueFd listener = socket_in(to, SOCK_STREAM);
  const UniqueFd client = socket_in(from, SOCK_STREAM);
  const sockaddr_in address = address_of(number);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  CHECK(::bind(listener.get(), raw, sizeof address) == 0 && ::listen(listener.get(), 1) == 0);
  CHECK(::connect(client.get(), raw, sizeof address) == 0);
  const UniqueFd server(::accept(listener.get(), nullptr, nullptr));
  CHECK(server.get() >= 0);
  return goodput(client.get(), server.get(), seconds);
}

double udp(const SandboxPath& from, const SandboxPath& to, int number, int seconds) {
  const UniqueFd server = socket_in(to, SOCK_DGRAM);
  const UniqueFd client = socket_in(from, SOCK_DGRAM);
  const sockaddr_in address = address_of(number);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  const int buffer = 4 << 20;
  ::setsockopt(server.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  CHECK(::bind(server.get(), raw, sizeof address) == 0);
  CHECK(::connect(client.get(), raw, sizeof address) == 0);
  return goodput(client.get(), server.get(), seconds);
}

void measure(int seconds) {
  host::PrivateHost host;
  NoListeners listeners;
  const auto kernel =
      LinuxKernel::open({.link_group = 4718, .nft_table = "heddle_bench", .cgroup = ""}, listeners,
                        fail(Errc::unsupported, "no BPF here"))
          .value();
  must(kernel->apply(Ensure<Bridge>{{.name = "hbr0", .mac = {{2, 0, 0, 0, 0, 1}}}}));
  const auto limited = host.add_sandbox("c1");
  const auto free = host.add_sandbox("c2");
  must(kernel->apply(Ensure<Attachment>{endpoint(free, 6, {})}));
  std::printf("parts of the rate, as Ethernet frames (TCP goodput itself in brackets)\n");
  for (const std::uint64_t megabits : {1, 10, 100, 500, 1000, 2000}) {
    const std::uint64_t bits = megabits * 1'000'000;
    const auto rate = static_cast<double>(bits);
    const int time = megabits == 1 ? 3 * seconds : seconds;
    must(kernel->apply(Ensure<Attachment>{endpoint(limited, 5, {.in = bits, .out = bits})}));
    const double tcp_in = tcp(free, limited, 5, time) / rate;
    const double tcp_out = tcp(limited, free, 6, time) / rate;
    const double udp_in = udp(free, limited, 5, time) / rate;
    const double udp_out = udp(limited, free, 6, time) / rate;
    std::printf("%5ld Mb/s: in TCP %.3f (%.3f) UDP %.3f   out TCP %.3f (%.3f) UDP %.3f\n",
                static_cast<long>(megabits), tcp_in / kTcpShare, tcp_in, udp_in / kUdpShare,
                tcp_out / kTcpShare, tcp_out, udp_out / kUdpShare);
    std::fflush(stdout);
  }
  must(kernel->remove_everything());
}

}  // namespace
}  // namespace heddle::dataplane

int main(int argc, char** argv) {
  heddle::dataplane::measure(argc > 1 ? std::atoi(argv[1]) : 3);
  return 0;
}
