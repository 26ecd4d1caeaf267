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

struct Rate {
  double gigabits = 0;        // per second
  double per_cpu_second = 0;  // of processor time at both ends: holds on a busy machine too
};

// The number after `name` in iperf3's JSON, from `from` on.
double number_of(const std::string& json, const std::string& name, std::size_t from) {
  const std::size_t at_name = json.find('"' + name + '"', from);
  if (at_name == std::string::npos) return 0;
  return std::atof(json.c_str() + json.find(':', at_name) + 1);
}

class Throughput : public TwoHosts {
 protected:
  // One stream, client on CPU 0 and server on CPU 1, congestion control cubic.
  Rate iperf(const std::string& from, const std::string& to, const std::string& address) {
    run(to, "taskset -c 1 iperf3 -s -1 -D >/dev/null");
    ::usleep(300'000);
    const std::string command =
        "ip netns exec " + from + " taskset -c 0 iperf3 -C cubic -t 2 -O 0.5 -J -c " + address;
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string json;
    std::array<char, 4096> block{};
    while (const std::size_t count = std::fread(block.data(), 1, block.size(), pipe))
      json.append(block.data(), count);
    ::pclose(pipe);
    const std::size_t end = json.rfind("\"sum_received\"");
    if (end == std::string::npos) return {};
    const double bits = number_of(json, "bits_per_second", end) / 1e9;
    const double processors =
        (number_of(json, "host_total", end) + number_of(json, "remote_total", end)) / 100;
    return {.gigabits = bits, .per_cpu_second = processors > 0 ? bits / processors : 0};
  }
};

// Median, minimum and maximum.
void print(const std::string& name, std::vector<Rate> rates) {
  std::ranges::sort(rates, {}, &Rate::gigabits);
  const auto middle = rates.size() / 2;
  std::printf("%-32s %5.1f Gb/s (%.1f-%.1f)", name.c_str(), rates[middle].gigabits,
              rates.front().gigabits, rates.back().gigabits);
  std::ranges::sort(rates, {}, &Rate::per_cpu_second);
  std::printf("   %5.1f Gb per CPU second (%.1f-%.1f)\n", rates[middle].per_cpu_second,
              rates.front().per_cpu_second, rates.back().per_cpu_second);
}

TEST_F(Throughput, DISABLED_OneStream) {
  const std::vector<std::pair<std::string, std::function<Rate()>>> cases = {
      {"raw veth between the hosts", [&] { return iperf("h1", "h2", "192.168.50.2"); }},
      {"across, opened on the underlay", [&] { return iperf("c1", "c3", "10.40.1.7"); }},
      {"across, by the vxlan device",
       [&] {
         run("h2", "tc filter del dev under0 ingress");
         run("h1", "tc filter del dev under0 ingress");
         const Rate rate = iperf("c1", "c3", "10.40.1.7");
         put_addresses(0);
         put_addresses(1);
         return rate;
       }},
      {"on one host", [&] { return iperf("c1", "c2", "10.40.0.6"); }},
  };
  std::map<std::string, std::vector<Rate>> rates;
  for (int round = 0; round < kRounds; ++round)
    for (const auto& [name, measure] : cases) rates[name].push_back(measure());
  for (const auto& [name, measure] : cases) print(name, rates[name]);
}

}  // namespace
}  // namespace heddle::testing
