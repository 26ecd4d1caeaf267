#include "tests/netns/overlay_path/two_hosts.h"

#include <net/if.h>

#include <utility>

#include "dataplane/netns/netns.h"

namespace heddle::testing {
namespace {

const char* const kSetUp = R"(set -e
for h in h1 h2; do ip netns add $h; ip -n $h link set lo up; done
ip -n h1 link add under0 mtu 1500 type veth peer name under0 netns h2 mtu 1500
n=1
for h in h1 h2; do
  ip -n $h addr add 192.168.50.$n/24 dev under0
  ip -n $h link set under0 up
  ip -n $h link add vx0 mtu 1450 type vxlan external dstport 4789
  ip -n $h link set vx0 up
  ip -n $h addr add 10.40.0.1/32 dev lo
  n=$((n+1))
done
container() { # host name address mac
  ip netns add $2; ip -n $2 link set lo up
  # Neighbour discovery on its own account would be counted as drops.
  ip netns exec $2 sysctl -qw net.ipv6.conf.default.disable_ipv6=1
  ip -n $1 link add hv$2 mtu 1450 address 02:00:00:00:00:fe type veth \
     peer name eth0 netns $2 mtu 1450 address $4
  ip -n $1 link set hv$2 up
  ip -n $2 link set eth0 up
  ip -n $2 addr add $3/20 dev eth0
  ip -n $2 route add default via 10.40.0.1
  ip -n $1 route add $3/32 dev hv$2
  ip -n $1 neigh add $3 lladdr $4 dev hv$2 nud permanent
}
container h1 c1 10.40.0.5 02:00:00:00:00:01
container h1 c2 10.40.0.6 02:00:00:00:00:02
container h2 c3 10.40.1.7 02:00:00:00:00:03
for h in h1 h2; do
  ip netns exec $h sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
done
)";

}  // namespace

std::unique_ptr<PrivateKernel> TwoHosts::kernel_;
const TwoHosts::Container TwoHosts::kC1{"c1", 0, *IpAddr::parse("10.40.0.5"),
                                        *Mac::parse("02:00:00:00:00:01")};
const TwoHosts::Container TwoHosts::kC2{"c2", 0, *IpAddr::parse("10.40.0.6"),
                                        *Mac::parse("02:00:00:00:00:02")};
const TwoHosts::Container TwoHosts::kC3{"c3", 1, *IpAddr::parse("10.40.1.7"),
                                        *Mac::parse("02:00:00:00:00:03")};

void TwoHosts::SetUpTestSuite() {
  auto kernel = PrivateKernel::enter();
  ASSERT_TRUE(kernel.has_value()) << kernel.error().text();
  kernel_ = std::move(*kernel);
  ASSERT_EQ(shell(kSetUp), 0);
  const auto joined = kernel_->join(kernel_->cgroup());
  ASSERT_TRUE(joined.has_value()) << joined.error().text();
}

void TwoHosts::TearDownTestSuite() {
  if (!kernel_) return;
  shell("for n in c1 c2 c3 h1 h2; do ip netns del $n; done");
  kernel_.reset();
}

void TwoHosts::SetUp() {
  static int count = 0;
  const std::string run_name = std::to_string(count++);
  for (int i : {0, 1}) {
    Host& host = hosts_[i];
    host.name = i == 0 ? "h1" : "h2";
    host.address = *IpAddr::parse(i == 0 ? "192.168.50.1" : "192.168.50.2");
    auto netns = netns::open("/run/netns/" + host.name);
    ASSERT_TRUE(netns.has_value()) << netns.error().text();
    host.netns = std::move(*netns);
    auto pins = kernel_->make_pin_dir(host.name + "-" + run_name);
    ASSERT_TRUE(pins.has_value()) << pins.error().text();
    host.pins = *pins;
    load(host);
    ASSERT_TRUE(host.programs);
    put_addresses(i);
  }
}

void TwoHosts::TearDown() {
  for (Host& host : hosts_) {
    if (!host.programs) continue;
    in(host.name, [&host] {
      const auto removed = host.programs->remove_everything();
      EXPECT_TRUE(removed.has_value()) << removed.error().text();
    });
  }
}

void TwoHosts::in(const std::string& netns, const std::function<void()>& work) {
  const auto fd = netns::open("/run/netns/" + netns);
  ASSERT_TRUE(fd.has_value()) << fd.error().text();
  const auto done = netns::run_in(fd->get(), [&work]() -> Result<> {
    work();
    return {};
  });
  ASSERT_TRUE(done.has_value()) << done.error().text();
}

int TwoHosts::run(const std::string& netns, const std::string& command) {
  return shell("ip netns exec " + netns + " " + command);
}

std::uint32_t TwoHosts::index_in(const std::string& netns, const std::string& device) {
  std::uint32_t index = 0;
  in(netns, [&] { index = ::if_nametoindex(device.c_str()); });
  return index;
}

void TwoHosts::load(Host& host) {
  in(host.name, [&] {
    auto programs =
        bpf::Programs::load({.pin_dir = host.pins, .cgroup = kernel_->cgroup(), .link_group = 0});
    ASSERT_TRUE(programs.has_value()) << programs.error().text();
    host.programs = std::move(*programs);
  });
}

void TwoHosts::put_addresses(int index) {
  Host& host = hosts_[index];
  in(host.name, [&] {
    const auto gateway_mac = *Mac::parse("02:00:00:00:00:fe");
    bpf::Programs& programs = *host.programs;
    EXPECT_TRUE(programs
                    .put_network({.vni = Vni{kVni},
                                  .subnet = *Prefix::parse("10.40.0.0/20"),
                                  .gateway = *IpAddr::parse("10.40.0.1"),
                                  .gateway_mac = gateway_mac,
                                  .internal = false})
                    .has_value());
    const auto attached = programs.attach_underlay({.device = IfIndex{::if_nametoindex("under0")},
                                                    .device_mac = {},
                                                    .vxlan = IfIndex{::if_nametoindex("vx0")},
                                                    .address = host.address,
                                                    .vxlan_port = 4789,
                                                    .epoch = kEpoch});
    EXPECT_TRUE(attached.has_value()) << attached.error().text();
    for (const Container& container : {kC1, kC2, kC3}) {
      bpf::Programs::Address address{.vni = Vni{kVni},
                                     .address = container.address,
                                     .mac = container.mac,
                                     .local = {},
                                     .vtep = std::nullopt};
      if (container.host == index) {
        address.local = IfIndex{::if_nametoindex(("hv" + container.name).c_str())};
        EXPECT_TRUE(programs
                        .attach_port({.index = address.local,
                                      .vni = Vni{kVni},
                                      .address = container.address,
                                      .mac = container.mac})
                        .has_value());
      } else {
        address.vtep = *IpAddr::parse(container.host == 0 ? "192.168.50.1" : "192.168.50.2");
      }
      EXPECT_TRUE(programs.put_address(address).has_value());
    }
  });
}

std::uint64_t TwoHosts::drops(int host, const std::string& reason) {
  return drops_of(*hosts_[host].programs, reason);
}

std::uint64_t TwoHosts::all_drops(int host) {
  std::uint64_t sum = 0;
  const auto drops = hosts_[host].programs->drops();
  for (const bpf::DropCount& drop : drops.value()) {
    // IPv6 router solicitations come when they like.
    if (drop.reason != "not_ipv4") sum += drop.packets;
  }
  return sum;
}

bool TwoHosts::datagram(const Container& from, const Container& to, std::size_t bytes) {
  const std::string text(bytes, 'd');
  UniqueFd receiver;
  in(to.name, [&] { receiver = udp_bind({to.address, 5000}).value(); });
  give_up_after(receiver.get(), std::chrono::milliseconds(500));
  in(from.name, [&] {
    const auto socket = udp_open();
    EXPECT_TRUE(send_to(socket->get(), text, {to.address, 5000}).has_value());
  });
  const auto got = receive(receiver.get());
  return got && got->text == text && got->from.address == from.address;
}

bool TwoHosts::ping(const Container& from, const IpAddr& to) {
  return run(from.name, "ping -q -c 3 -i 0.05 -W 1 " + to.format() + " >/dev/null") == 0;
}

}  // namespace heddle::testing
