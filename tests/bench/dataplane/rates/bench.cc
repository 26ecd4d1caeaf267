// How near a limited endpoint comes to its rate: the Ethernet frames of one TCP stream, and of UDP
// datagrams sent faster than the limit, as parts of the rate. Arguments: seconds of each (3).
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/check.h"
#include "dataplane/linux/kernel.h"
#include "tests/bench/dataplane/stream/stream.h"
#include "tests/support/bridge_endpoint.h"
#include "tests/support/host/private_host.h"

namespace heddle::dataplane {
namespace {

using bench::kTcpShare;
using bench::kUdpShare;

// A rate tells something about the limit only when the machine carries more without one.
constexpr double kHeadroom = 1.25;

void must(const Result<>& result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().text().c_str());
  CHECK(result.has_value());
}

struct Limits {
  std::uint64_t in = 0;
  std::uint64_t out = 0;
};

Attachment endpoint(const SandboxPath& sandbox, int number, const Limits& limits) {
  Attachment attachment = bridge_endpoint(sandbox, number);
  attachment.rate_in = limits.in;
  attachment.rate_out = limits.out;
  return attachment;
}

// One way between the two sandboxes: towards the limited one, or from it.
struct Way {
  const char* name;
  bench::Stream stream;
  double tcp_free = 0;  // bits a second of Ethernet frames without a limit
  double udp_free = 0;
};

double tcp(const Way& way) {
  return bench::tcp_goodput(way.stream).rate / kTcpShare;
}
double udp(const Way& way) {
  return bench::udp_goodput(way.stream).rate / kUdpShare;
}

void print_part(const char* transport, double found, double rate, double unlimited) {
  if (unlimited < rate * kHeadroom) {
    std::printf(" %s carries too little (%.1f Gb/s)", transport, unlimited / 1e9);
  } else {
    std::printf(" %s %.3f", transport, found / rate);
  }
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
  must(kernel->apply(Ensure<Attachment>{endpoint(limited, 5, {})}));
  const std::chrono::milliseconds time = std::chrono::seconds(seconds);
  Way ways[] = {{"in", {.from = free, .to = limited, .address = IpAddr::v4(0x0a4d0005)}},
                {"out", {.from = limited, .to = free, .address = IpAddr::v4(0x0a4d0006)}}};
  for (Way& way : ways) {
    way.stream.time = time;
    way.tcp_free = tcp(way);
    way.udp_free = udp(way);
    std::printf("without a limit, %s: TCP %.2f Gb/s, UDP %.2f Gb/s\n", way.name, way.tcp_free / 1e9,
                way.udp_free / 1e9);
  }
  std::printf("parts of the rate, as Ethernet frames\n");
  for (const std::uint64_t megabits : {1, 10, 100, 500, 1000, 2000, 3000, 5000}) {
    const std::uint64_t bits = megabits * 1'000'000;
    const auto rate = static_cast<double>(bits);
    must(kernel->apply(Ensure<Attachment>{endpoint(limited, 5, {.in = bits, .out = bits})}));
    std::printf("%5ld Mb/s:", static_cast<long>(megabits));
    for (Way& way : ways) {
      way.stream.time = megabits == 1 ? 3 * time : time;
      std::printf("  %s", way.name);
      print_part("TCP", way.tcp_free < rate * kHeadroom ? 0 : tcp(way), rate, way.tcp_free);
      print_part("UDP", way.udp_free < rate * kHeadroom ? 0 : udp(way), rate, way.udp_free);
    }
    std::printf("\n");
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
