// What attaching and detaching an endpoint costs, with none and with many attachments there, beside
// the least that the kernel asks for: the same pair, made with bare netlink messages (what
// `ip -batch` would send) in the same run. Arguments: attachments there (1000), samples (200).
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "dataplane/linux/kernel.h"
#include "dataplane/netlink/address.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netns/netns.h"
#include "tests/support/bridge_endpoint.h"
#include "tests/support/host/private_host.h"

namespace heddle::dataplane {
namespace {

using Clock = std::chrono::steady_clock;

class Samples {
 public:
  template <class Work>
  void time(Work work) {
    const auto start = Clock::now();
    work();
    us_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  double at(double share) {
    std::ranges::sort(us_);
    return us_[static_cast<std::size_t>(share * static_cast<double>(us_.size() - 1))];
  }
  void print(const char* what, std::size_t there) {
    std::printf("%-28s %5zu there: p50 %7.0f us  p90 %7.0f us  p99 %7.0f us  max %7.0f us\n", what,
                there, at(0.5), at(0.9), at(0.99), at(1));
  }

 private:
  std::vector<double> us_;
};

void must(const Result<>& result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().text().c_str());
  CHECK(result.has_value());
}

Mac mac(int kind, std::size_t number) {
  return {{2, static_cast<std::uint8_t>(kind), 0, static_cast<std::uint8_t>(number >> 16),
           static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)}};
}

constexpr std::size_t kBridges = 3;  // one takes 1,023 ports

std::string bridge_of(std::size_t number) {
  return "hbr" + std::to_string(number % kBridges);
}

Attachment endpoint(const SandboxPath& sandbox, std::size_t number) {
  Attachment attachment;
  attachment.host_name = "hv" + std::to_string(number);
  attachment.sandbox = sandbox;
  attachment.name = "eth0";
  attachment.host_mac = mac(1, number);
  attachment.mac = mac(2, number);
  const auto first = static_cast<std::uint32_t>(0x0a4d0000U + (number % kBridges) * 0x10000U);
  attachment.addresses = {{IpAddr::v4(first + 2 + static_cast<std::uint32_t>(number)), 16}};
  attachment.routes = {{Prefix(), IpAddr::v4(first + 1)}};
  attachment.bridge = bridge_of(number);
  return attachment;
}

// The least: pair with master and peer namespace, up, and inside address, up and route in one send.
void bare_attach(netlink::Socket& socket, const Attachment& a) {
  const auto netns = netns::open(a.sandbox);
  CHECK(netns.has_value());
  const auto master = netlink::find_link(socket, a.bridge);
  const auto made = netlink::create_veth(socket, {.name = a.host_name,
                                                  .mac = a.host_mac,
                                                  .group = 77,
                                                  .master = master.value()->index,
                                                  .peer_name = a.name,
                                                  .peer_mac = a.mac,
                                                  .peer_netns = netns->get()});
  CHECK(made.has_value());
  must(netlink::change_link(socket, made->index, {.up = true}));
  must(netns::run_in(netns->get(), [&]() -> Result<> {
    TRY(auto inside, netlink::Socket::open());
    return netlink::set_up_fresh(
        inside, {.link = made->peer,
                 .addresses = a.addresses,
                 .routes = {{a.routes[0].destination, a.routes[0].via, made->peer}}});
  }));
}

class Bench {
 public:
  Bench() {
    kernel_ = LinuxKernel::open({.link_group = 4716, .nft_table = "heddle_bench", .cgroup = ""},
                                listeners_, fail(Errc::unsupported, "no BPF here"))
                  .value();
    for (std::size_t i = 0; i < kBridges; ++i) {
      const auto first = static_cast<std::uint32_t>(0x0a4d0001U + i * 0x10000U);
      must(kernel_->apply(Ensure<Bridge>{
          {.name = bridge_of(i), .mac = mac(3, i), .addresses = {{IpAddr::v4(first), 16}}}}));
    }
  }
  ~Bench() { must(kernel_->remove_everything()); }

  void fill(std::size_t count) {
    for (; there_ < count; ++there_) {
      must(kernel_->apply(Ensure<Attachment>{endpoint(sandbox(), 1000 + there_)}));
    }
  }

  void measure(std::size_t samples) {
    Samples attach;
    Samples bare;
    Samples detach;
    auto socket = netlink::Socket::open();
    for (std::size_t i = 0; i < samples; ++i) {
      const Attachment ours = endpoint(sandbox(), 10'000 + 2 * i);
      attach.time([&] { must(kernel_->apply(Ensure<Attachment>{ours})); });
      const Attachment least = endpoint(sandbox(), 10'001 + 2 * i);
      bare.time([&] { bare_attach(*socket, least); });
      detach.time([&] { must(kernel_->apply(RemoveAttachment{ours.host_name})); });
      if (i % 100 == 99) must(netlink::delete_group(*socket, 77));
    }
    must(netlink::delete_group(*socket, 77));
    attach.print("attach", there_);
    bare.print("the same, bare messages", there_);
    detach.print("detach", there_);
    std::printf("%-28s %5zu there: p50 %.2f  p99 %.2f\n", "attach / bare", there_,
                attach.at(0.5) / bare.at(0.5), attach.at(0.99) / bare.at(0.99));
  }

 private:
  SandboxPath sandbox() { return host_.add_sandbox("s" + std::to_string(next_++)); }

  host::PrivateHost host_;
  NoListeners listeners_;
  std::unique_ptr<LinuxKernel> kernel_;
  std::size_t next_ = 0;
  std::size_t there_ = 0;
};

}  // namespace
}  // namespace heddle::dataplane

int main(int argc, char** argv) {
  const std::size_t many = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;
  const std::size_t samples = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 200;
  heddle::dataplane::Bench bench;
  bench.measure(samples);
  bench.fill(many);
  bench.measure(samples);
  return 0;
}
