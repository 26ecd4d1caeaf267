// Measurements, not claims: run with --gtest_also_run_disabled_tests on a quiet machine.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/netns/overlay_path/two_hosts.h"

namespace heddle::testing {
namespace {

constexpr int kRounds = 5;

class Throughput : public TwoHosts {
 protected:
  // Gb/s of one stream, client on CPU 0 and server on CPU 1, congestion control cubic.
  double iperf(const std::string& from, const std::string& to, const std::string& address) {
    run(to, "taskset -c 1 iperf3 -s -1 -D >/dev/null");
    ::usleep(300'000);
    const std::string command = "ip netns exec " + from +
                                " taskset -c 0 iperf3 -C cubic -t 2 -O 0.5 "
                                "-f m -c " +
                                address + " 2>&1 | grep receiver";
    FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 512> line{};
    const char* got = std::fgets(line.data(), line.size(), pipe);
    ::pclose(pipe);
    if (got == nullptr) return 0;
    const std::string text(line.data());
    const std::size_t unit = text.find(" Mbits");
    return std::atof(text.c_str() + text.rfind(' ', unit - 1)) / 1000;
  }
};

TEST_F(Throughput, DISABLED_OneStream) {
  const std::vector<std::pair<std::string, std::function<double()>>> cases = {
      {"raw veth between the hosts", [&] { return iperf("h1", "h2", "192.168.50.2"); }},
      {"across, opened on the underlay", [&] { return iperf("c1", "c3", "10.40.1.7"); }},
      {"across, by the vxlan device",
       [&] {
         run("h2", "tc filter del dev under0 ingress");
         run("h1", "tc filter del dev under0 ingress");
         const double rate = iperf("c1", "c3", "10.40.1.7");
         put_addresses(0);
         put_addresses(1);
         return rate;
       }},
      {"on one host", [&] { return iperf("c1", "c2", "10.40.0.6"); }},
  };
  std::map<std::string, std::vector<double>> rates;
  for (int round = 0; round < kRounds; ++round)
    for (const auto& [name, measure] : cases) rates[name].push_back(measure());
  for (const auto& [name, measure] : cases) {
    std::vector<double>& sorted = rates[name];
    std::ranges::sort(sorted);
    std::printf("%-34s %5.1f Gb/s (%.1f-%.1f)\n", name.c_str(), sorted[sorted.size() / 2],
                sorted.front(), sorted.back());
  }
}

}  // namespace
}  // namespace heddle::testing
