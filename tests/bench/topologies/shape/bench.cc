// How near an impaired link comes to its rate: the Ethernet frames of UDP sent faster than it, over
// 10 s, as parts of the rate; beside it tc's own token bucket on a plain veth. Arguments: seconds
// (10), `defect`: the link is given 0.95 of the rate that it is compared with.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "tests/bench/dataplane/stream/stream.h"
#include "tests/support/lab_links/world.h"

namespace heddle::testing {
namespace {

constexpr double kWithin = 0.02;

double frames(const World& world, int seconds) {
  const bench::Stream stream{.from = world.netns("a"),
                             .to = world.netns("b"),
                             .address = IpAddr::v4(0x0a000002),
                             .time = std::chrono::seconds(seconds)};
  return bench::udp_goodput(stream).rate / bench::kUdpShare;
}

// The second PrivateHost of a process takes the place of the first: one world at a time.
double on_wire(std::uint64_t bits, int seconds) {
  World world(two_nodes("{}"));
  if (bits) CHECK(world.links().impair("a:eth1", format::Impairment{.rate = bits}, std::nullopt));
  return frames(world, seconds);
}

double on_plain_veth(std::uint64_t bits, int seconds) {
  World world(two_nodes(""));
  const std::uint64_t burst = std::max<std::uint64_t>(bits / 8 / 250, 2 * 1518);
  host::run_in(world.netns("a"), "tc qdisc add dev eth1 root tbf rate " + std::to_string(bits) +
                                     "bit burst " + std::to_string(burst) + " limit 1514000");
  return frames(world, seconds);
}

int measure(int seconds, double part) {
  const double most = on_wire(0, 3);
  std::printf("a wire without a rate carries %.2f Gb/s\n", most / 1e9);
  int missed = 0;
  for (const std::uint64_t megabits : {1, 10, 100, 1000, 2000}) {
    const std::uint64_t bits = megabits * 1'000'000;
    const auto rate = static_cast<double>(bits);
    std::printf("%5llu Mb/s:", static_cast<unsigned long long>(megabits));
    if (most < rate * 1.25) {
      std::printf(" this machine carries too little to tell\n");
      continue;
    }
    const double found = on_wire(static_cast<std::uint64_t>(rate * part), seconds) / rate;
    const bool met = std::abs(found - 1) <= kWithin;
    missed += !met;
    std::printf(" wire %.4f%s", found, met ? "" : " MISSED");
    std::fflush(stdout);
    std::printf("  tc %.4f\n", on_plain_veth(bits, seconds) / rate);
    std::fflush(stdout);
  }
  std::printf("aim: within %.0f %%: %s\n", kWithin * 100, missed ? "MISSED" : "met");
  return missed ? 1 : 0;
}

}  // namespace
}  // namespace heddle::testing

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 10;
  return heddle::testing::measure(seconds,
                                  argc > 2 && argv[2] == std::string_view("defect") ? 0.95 : 1.0);
}
