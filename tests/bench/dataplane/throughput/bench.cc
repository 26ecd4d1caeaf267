// What one TCP stream between two containers of one bridge network carries, beside a bridge and
// veth pairs made by ip(8), which is the kernel code that Docker's bridge consists of. In turn,
// pinned to the same CPUs; the median of the ratios of neighbouring runs counts.
//
// usage: bench_throughput [--repeats N] [--milliseconds N]
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "dataplane/linux/kernel.h"
#include "tests/bench/dataplane/stream/stream.h"
#include "tests/support/bridge_endpoint.h"
#include "tests/support/host/private_host.h"

namespace heddle::dataplane {
namespace {

void must(const Result<>& result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().text().c_str());
  CHECK(result.has_value());
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

class Bench {
 public:
  Bench() {
    kernel_ = LinuxKernel::open({.link_group = 4719, .nft_table = "heddle_bench", .cgroup = ""},
                                listeners_, fail(Errc::unsupported, "no BPF here"))
                  .value();
    const auto prefix = Prefix::parse("10.77.0.0/24").value();
    must(kernel_->apply(Ensure<Bridge>{{.name = "hbr0",
                                        .mac = {{2, 0, 0, 0, 0, 1}},
                                        .addresses = {{IpAddr::v4(0x0a4d0001), 24}}}}));
    SetRules rules;
    rules.masquerades.insert({prefix, "hbr0"});
    rules.rules.insert({"hbr0", {prefix}, false, true});
    must(kernel_->apply(rules));
    must(kernel_->apply(Ensure<Attachment>{bridge_endpoint(ours_[0], 5)}));
    must(kernel_->apply(Ensure<Attachment>{bridge_endpoint(ours_[1], 6)}));
    // Docker's way: bridge with the gateway, pairs moved into the containers, everything up.
    host::run(
        "ip link add plain0 type bridge && ip addr add 10.78.0.1/24 dev plain0 && "
        "ip link set plain0 up");
    for (int i = 0; i < 2; ++i) {
      const std::string left = "pv" + std::to_string(i);
      const std::string right = "pc" + std::to_string(i);
      host::run("ip link add " + left + " type veth peer name " + right + " && ip link set " +
                left + " master plain0 up && ip link set " + right + " netns " + plain_[i]);
      host::run_in(plain_[i], "ip addr add 10.78.0." + std::to_string(5 + i) + "/24 dev " + right +
                                  " && ip link set " + right + " up");
    }
  }
  ~Bench() { must(kernel_->remove_everything()); }

  void measure(int repeats, std::chrono::milliseconds time) {
    Runs ours;
    Runs plain;
    for (int i = 0; i < repeats; ++i) {
      // Whoever comes second may find the machine otherwise: the order changes.
      if (i % 2 == 0) ours.push_back(run(ours_, IpAddr::v4(0x0a4d0006), time));
      plain.push_back(run(plain_, IpAddr::v4(0x0a4e0006), time));
      if (i % 2 != 0) ours.push_back(run(ours_, IpAddr::v4(0x0a4d0006), time));
    }
    compare("one TCP stream, Gb/s", ours, plain, &bench::Carried::rate);
    compare("Gbit in a second of CPU", ours, plain, &bench::Carried::per_cpu_second);
  }

 private:
  using Runs = std::vector<bench::Carried>;
  static void compare(const char* what, const Runs& ours, const Runs& plain,
                      double bench::Carried::* part) {
    std::vector<double> mine;
    std::vector<double> theirs;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      mine.push_back(ours[i].*part);
      theirs.push_back(plain[i].*part);
      ratios.push_back(mine.back() / theirs.back());
    }
    std::ranges::sort(ratios);
    std::printf(
        "%-24s Heddle's bridge %6.2f  plain bridge %6.2f  ratio of medians %.3f, of "
        "neighbouring runs %.3f (%.3f to %.3f, %zu pairs)\n",
        what, median(mine) / 1e9, median(theirs) / 1e9, median(mine) / median(theirs),
        median(ratios), ratios.front(), ratios.back(), ratios.size());
  }

  static bench::Carried run(const std::string (&sandboxes)[2], const IpAddr& address,
                            std::chrono::milliseconds time) {
    bench::Stream stream{.from = sandboxes[0], .to = sandboxes[1], .address = address};
    stream.time = time;
    if (std::thread::hardware_concurrency() > 1) stream.pins = bench::Stream::Pins{};
    return bench::tcp_goodput(stream);
  }

  host::PrivateHost host_;
  NoListeners listeners_;
  std::unique_ptr<LinuxKernel> kernel_;
  const std::string ours_[2] = {host_.add_sandbox("c1"), host_.add_sandbox("c2")};
  const std::string plain_[2] = {host_.add_sandbox("p1"), host_.add_sandbox("p2")};
};

}  // namespace
}  // namespace heddle::dataplane

int main(int argc, char** argv) {
  int repeats = 15;
  int milliseconds = 1500;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--repeats") repeats = std::max(1, std::atoi(argv[i + 1]));
    if (std::string(argv[i]) == "--milliseconds") milliseconds = std::atoi(argv[i + 1]);
  }
  heddle::dataplane::Bench bench;
  bench.measure(repeats, std::chrono::milliseconds(milliseconds));
  return 0;
}
