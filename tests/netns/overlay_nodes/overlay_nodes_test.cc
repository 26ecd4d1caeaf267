// An overlay network over two hosts, set up by operations alone: what its endpoints can send to
// whom. The packets themselves are looked at in tests/netns/overlay_path.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include "dataplane/bpf/bpffs.h"
#include "dataplane/linux/kernel.h"
#include "dataplane/netns/netns.h"
#include "tests/support/bridge_endpoint.h"
#include "tests/support/host/private_host.h"

namespace heddle::dataplane {
namespace {

constexpr Vni kVni{4097};
constexpr Mac kGatewayMac{{2, 0x99, 0, 0, 0, 1}};

// One host: a namespace with a kernel of its own.
class Node final {
 public:
  Node(std::string netns, std::string directory, const std::string& cgroup_root, int number)
      : netns_(std::move(netns)),
        directory_(std::move(directory)),
        cgroup_(cgroup_root + "/heddle-nodes-" + std::to_string(::getpid()) + "-" +
                std::to_string(number)),
        number_(number) {
    EXPECT_EQ(::mkdir(directory_.c_str(), 0700), 0);
    EXPECT_EQ(::mkdir(cgroup_.c_str(), 0755), 0);
    fd_ = netns::open(netns_).value();
    inside([&]() -> Result<> {
      TRY_DO(bpf::mount_bpffs(directory_ + "/bpf"));
      TRY(kernel_,
          LinuxKernel::open(
              {.link_group = 4800, .nft_table = "heddle", .cgroup = cgroup_}, listeners_,
              bpf::Programs::load(
                  {.pin_dir = directory_ + "/bpf", .cgroup = cgroup_, .link_group = 4800})));
      return {};
    });
    apply(Ensure<Underlay>{{.device = "eth0",
                            .address = address(),
                            .vxlan_name = "hvx0",
                            .vxlan_port = 4789,
                            .mtu = 1450,
                            .epoch = 1}});
    apply(Ensure<OverlayNetwork>{{kVni, Prefix::parse("10.40.0.0/16").value(),
                                  IpAddr::parse("10.40.0.1").value(), kGatewayMac, false}});
  }
  ~Node() {
    inside([&] { return kernel_->remove_everything(); });
    kernel_.reset();
    EXPECT_EQ(::rmdir(cgroup_.c_str()), 0);
    EXPECT_EQ(host::run_in(netns_, "ip -o link | grep -vE \"(lo|eth0|out0)[:@]\" || true"), "");
  }

  IpAddr address() const { return IpAddr::v4(0xc0000200U + static_cast<std::uint32_t>(number_)); }
  const std::string& netns() const { return netns_; }

  void inside(const std::function<Result<>()>& work) {
    const auto done = netns::run_in(fd_.get(), work);
    EXPECT_TRUE(done) << done.error().text();
  }
  void apply(const Operation& operation) {
    inside([&] { return kernel_->apply(operation); });
  }

  // Endpoint 10.40.<host>.<number> in `sandbox`, known here.
  OverlayAddress attach(const SandboxPath& sandbox, int number) {
    Attachment attachment;
    attachment.host_name = "hv" + std::to_string(number);
    attachment.sandbox = sandbox;
    attachment.name = "eth0";
    attachment.host_mac = kGatewayMac;
    const auto low = static_cast<std::uint8_t>(number);
    attachment.mac = {{2, 0x40, 0, 0, static_cast<std::uint8_t>(number_), low}};
    attachment.mtu = 1450;
    const IpAddr ip = IpAddr::v4(0x0a280000U | static_cast<std::uint32_t>(number_ << 8 | number));
    attachment.addresses = {{ip, 16}};
    attachment.routes = {{Prefix(), IpAddr::parse("10.40.0.1").value()}};
    attachment.overlay = kVni;
    apply(Ensure<Attachment>{attachment});
    const OverlayAddress local{kVni, ip, attachment.mac, attachment.host_name, {}};
    apply(Ensure<OverlayAddress>{local});
    apply(Ensure<HostRoute>{{ip, attachment.host_name, attachment.mac}});
    return {kVni, ip, attachment.mac, "", address()};  // as the other node knows it
  }

  LinuxKernel& kernel() { return *kernel_; }

 private:
  const std::string netns_;
  const std::string directory_;
  const std::string cgroup_;
  const int number_;
  UniqueFd fd_;
  NoListeners listeners_;
  std::unique_ptr<LinuxKernel> kernel_;
};

class OverlayNodes : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto a = host_.add_sandbox("host1");
    const auto b = host_.add_sandbox("host2");
    host::run("ip link add eth0 netns " + a + " type veth peer name eth0 netns " + b);
    host::run_in(a, "ip addr add 192.0.2.1/24 dev eth0; ip link set eth0 up");
    host::run_in(b, "ip addr add 192.0.2.2/24 dev eth0; ip link set eth0 up");
    const auto cgroups = host::run("findmnt -n -t cgroup2 -o TARGET | head -1");
    one_.emplace(a, host_.directory() + "/run1", cgroups, 1);
    two_.emplace(b, host_.directory() + "/run2", cgroups, 2);
  }

  std::string drops(Node& node) {
    std::string text;
    node.inside([&]() -> Result<> {
      TRY(const auto counts, node.kernel().programs()->drops());
      for (const auto& count : counts) {
        if (count.packets) text += count.reason + "=" + std::to_string(count.packets) + " ";
      }
      return {};
    });
    return text;
  }

  host::PrivateHost host_;
  std::optional<Node> one_;
  std::optional<Node> two_;
};

TEST_F(OverlayNodes, EndpointsReachEachOtherHereAndThere) {
  const auto c1 = host_.add_sandbox("c1");
  const auto c2 = host_.add_sandbox("c2");
  const auto c3 = host_.add_sandbox("c3");
  const auto known1 = one_->attach(c1, 5);
  one_->attach(c3, 7);
  const auto known2 = two_->attach(c2, 6);
  two_->apply(Ensure<OverlayAddress>{known1});
  one_->apply(Ensure<OverlayAddress>{known2});

  host::run_in(c1, "ping -c 3 -i 0.05 -W 2 10.40.1.7");  // on the same host
  host::run_in(c1, "ping -c 3 -i 0.05 -W 2 10.40.2.6");  // on the other
  host::run_in(c2, "ping -c 3 -i 0.05 -W 2 10.40.1.5");
  host::run_in(c1, "ping -c 1 -s 1422 -M do -W 2 10.40.2.6");  // as large as the MTU allows
  host::run_in(c1, "ping -c 1 -s 4000 -W 2 10.40.2.6");        // fragmented by the sender
  EXPECT_NE(host::status_of("nsenter --net=" + c1 + " ping -c 1 -W 1 10.40.2.99"), 0);

  EXPECT_EQ(host::exchange_tcp({.client = c1,
                                .server = c2,
                                .address = SocketAddr::parse("10.40.2.6:80").value(),
                                .bytes = 20'000'000}),
            "10.40.1.5")
      << drops(*one_) << drops(*two_);
}

// How long a TCP connect takes; nothing when it is not made within `patience`.
std::optional<std::chrono::milliseconds> connect_time(const SandboxPath& from, const SocketAddr& to,
                                                      std::chrono::milliseconds patience) {
  const auto sandbox = netns::open(from).value();
  const auto begin = std::chrono::steady_clock::now();
  const auto socket = netns::connect_tcp(sandbox.get(), to);
  if (!socket) return std::nullopt;
  pollfd waited{socket->get(), POLLOUT, 0};
  if (::poll(&waited, 1, static_cast<int>(patience.count())) != 1) return std::nullopt;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket->get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
    return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
}

// Goal: no connection of an endpoint that the other host has never heard of waits for a
// retransmission, a second. Counter-check: without its block it gets no answer.
TEST_F(OverlayNodes, AFreshEndpointConnectsAtOnceSinceItsBlockVouchesForIt) {
  constexpr int kEndpoints = 50;
  const auto server = host_.add_sandbox("server");
  one_->apply(Ensure<OverlayAddress>{two_->attach(server, 6)});
  const auto to = SocketAddr::parse("10.40.2.6:80").value();
  const auto sandbox = netns::open(server).value();
  const UniqueFd listener = netns::listen_tcp(sandbox.get(), to).value();
  const Prefix block = Prefix::parse("10.40.1.0/24").value();
  // Not the MAC that its endpoints have: the node that delivers writes the right one.
  two_->apply(Ensure<OverlayBlock>{{kVni, block, one_->address(), kGatewayMac}});

  std::chrono::milliseconds slowest{0};
  for (int i = 0; i < kEndpoints; ++i) {
    const auto fresh = host_.add_sandbox("fresh" + std::to_string(i));
    one_->attach(fresh, 10 + i);
    const auto took = connect_time(fresh, to, std::chrono::seconds(10));
    ASSERT_TRUE(took) << i << ": " << drops(*one_) << drops(*two_);
    slowest = std::max(slowest, *took);
  }
  EXPECT_LT(slowest, std::chrono::milliseconds(900));
  std::printf("the slowest of %d connects took %lld ms\n", kEndpoints,
              static_cast<long long>(slowest.count()));
  EXPECT_FALSE(drops(*two_).contains("unknown_source")) << drops(*two_);

  two_->apply(RemoveOverlayBlock{kVni, block});
  const auto unknown = host_.add_sandbox("unknown");
  one_->attach(unknown, 10 + kEndpoints);
  EXPECT_FALSE(connect_time(unknown, to, std::chrono::milliseconds(1500)));
  EXPECT_TRUE(drops(*two_).contains("unknown_source")) << drops(*two_);
}

TEST_F(OverlayNodes, TheHostReachesItsOwnEndpointsAndTheyTheOutside) {
  const auto c1 = host_.add_sandbox("c1");
  one_->attach(c1, 5);
  host::run_in(one_->netns(), "ping -c 2 -i 0.05 -W 2 10.40.1.5");
  one_->apply(SetSysctl{"net/ipv4/ip_forward", "1"});
  one_->apply(SetRules{{{Prefix::parse("10.40.0.0/16").value(), ""}}});
  host::run_in(c1, "ping -c 2 -i 0.05 -W 2 192.0.2.2");
}

TEST_F(OverlayNodes, ADetachedEndpointSendsNothingMore) {
  const auto c1 = host_.add_sandbox("c1");
  const auto c2 = host_.add_sandbox("c2");
  one_->attach(c1, 5);
  one_->attach(c2, 6);
  host::run_in(c1, "ping -c 1 -W 2 10.40.1.6");
  one_->apply(RemoveHostRoute{IpAddr::parse("10.40.1.6").value()});
  one_->apply(RemoveOverlayAddress{kVni, IpAddr::parse("10.40.1.6").value()});
  one_->apply(RemoveAttachment{"hv6"});
  EXPECT_NE(host::status_of("nsenter --net=" + c1 + " ping -c 1 -W 1 10.40.1.6"), 0);
}

TEST_F(OverlayNodes, AForeignVxlanDeviceOnThePortIsNamed) {
  host::run_in(two_->netns(),
               "ip link add vx9 type vxlan external dstport 4799; ip link set vx9 up");
  std::optional<Error> error;
  two_->inside([&]() -> Result<> {
    auto refused = two_->kernel().apply(Ensure<Underlay>{{.device = "eth0",
                                                          .address = two_->address(),
                                                          .vxlan_name = "hvx0",
                                                          .vxlan_port = 4799,
                                                          .mtu = 1450}});
    if (!refused) error = std::move(refused).error();
    return {};
  });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Errc::exists);
  EXPECT_THAT(error->text(), ::testing::HasSubstr("4799"));
  host::run_in(two_->netns(), "ip link delete vx9");

  // The refusal cost nothing: the old device still carries the network.
  const auto c1 = host_.add_sandbox("c1");
  const auto c2 = host_.add_sandbox("c2");
  two_->apply(Ensure<OverlayAddress>{one_->attach(c1, 5)});
  one_->apply(Ensure<OverlayAddress>{two_->attach(c2, 6)});
  host::run_in(c1, "ping -c 2 -i 0.05 -W 2 10.40.2.6");
}

}  // namespace
}  // namespace heddle::dataplane
