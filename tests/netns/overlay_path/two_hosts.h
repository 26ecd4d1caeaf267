#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "dataplane/bpf/programs.h"
#include "tests/bpf/support/plain_socket.h"
#include "tests/bpf/support/private_kernel.h"

namespace heddle::testing {

// Two hosts, each a namespace with its own Programs, joined by a veth underlay (192.168.50.1 and
// .2, `under0` in each), with a collect-metadata device `vx0`. Network 10.40.0.0/20, VNI 70,
// gateway 10.40.0.1: c1 and c2 on h1, c3 on h2.
inline constexpr std::uint32_t kVni = 70;
inline constexpr std::uint64_t kEpoch = 4711;

class TwoHosts : public ::testing::Test {
 protected:
  struct Host {
    std::string name;
    IpAddr address;  // on the underlay
    UniqueFd netns;
    std::string pins;
    std::unique_ptr<bpf::Programs> programs;
  };
  struct Container {
    std::string name;
    int host;  // index
    IpAddr address;
    Mac mac;
  };

  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  static void in(const std::string& netns, const std::function<void()>& work);
  static int run(const std::string& netns, const std::string& command);
  static std::uint32_t index_in(const std::string& netns, const std::string& device);

  void load(Host& host);
  void put_addresses(int host);
  std::uint64_t drops(int host, const std::string& reason);
  std::uint64_t all_drops(int host);
  // One datagram of this size from one container to the other; true when it came whole.
  bool datagram(const Container& from, const Container& to, std::size_t bytes);
  bool ping(const Container& from, const IpAddr& to);

  static std::unique_ptr<PrivateKernel> kernel_;
  static const Container kC1;
  static const Container kC2;
  static const Container kC3;
  Host hosts_[2];
};

}  // namespace heddle::testing
