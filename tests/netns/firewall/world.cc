#include "tests/netns/firewall/world.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "dataplane/netns/netns.h"

namespace heddle::dataplane {
namespace {

constexpr int kPatienceMs = 5000;  // for what must come
constexpr int kRefusalMs = 700;    // for what must not

struct Raw {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Raw raw(const SocketAddr& address) {
  Raw made;
  if (address.address.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&made.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    v4->sin_addr.s_addr = address.address.v4_be();
    made.size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&made.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    std::memcpy(&v6->sin6_addr, address.address.bytes().data(), 16);
    made.size = sizeof *v6;
  }
  return made;
}

std::string text(const Raw& peer) {
  if (peer.storage.ss_family == AF_INET)
    return IpAddr::v4(ntohl(reinterpret_cast<const sockaddr_in*>(&peer.storage)->sin_addr.s_addr))
        .format();
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(&peer.storage)->sin6_addr, 16);
  return IpAddr::v6(bytes).format();
}

UniqueFd open_socket(const std::string& sandbox, int family, int type) {
  UniqueFd made;
  const auto open = [&]() -> Result<> {
    made.reset(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return {};
  };
  if (sandbox.empty()) {
    EXPECT_TRUE(open());
  } else {
    const auto netns = netns::open(sandbox);
    EXPECT_TRUE(netns && netns::run_in(netns->get(), open));
  }
  EXPECT_TRUE(made);
  return made;
}

int family_of(const SocketAddr& address) {
  return address.address.is_v4() ? AF_INET : AF_INET6;
}

bool ready(const UniqueFd& fd, short events, int patience) {
  pollfd waited{.fd = fd.get(), .events = events, .revents = 0};
  return ::poll(&waited, 1, patience) == 1;
}

}  // namespace

World::World() {
  auto opened = LinuxKernel::open({.link_group = 4713, .nft_table = "heddle_test", .cgroup = ""},
                                  listeners_, fail(Errc::unsupported, "this kernel lacks BPF"));
  kernel_ = std::move(opened).value();
  for (const char* setting : {"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"}) {
    apply(SetSysctl{setting, "1"});
    wanted_.sysctls[setting] = "1";
  }
  add_bridge("hbr0", "10.77.0.1/24", "fd00:77::1/64");
  add_bridge("hbr1", "10.78.0.1/24", "fd00:78::1/64");
  a_ = add_endpoint("a", "hbr0", "10.77.0.", "fd00:77::", 5);
  b_ = add_endpoint("b", "hbr0", "10.77.0.", "fd00:77::", 6);
  c_ = add_endpoint("c", "hbr1", "10.78.0.", "fd00:78::", 7);
  add_outside();
  // Link-local addresses cannot ask for neighbours until they are known to be unique.
  for (const std::string& place : {std::string(), a_, b_, c_, outside_}) {
    const std::string enter = place.empty() ? "" : "nsenter --net=" + place + " ";
    host::run("for i in $(seq 100); do test -n \"$(" + enter +
              "ip -6 -o addr show tentative)\" || break; sleep 0.1; done");
  }
  wanted_.masquerades = {{range("10.77.0.0/24"), "hbr0"},
                         {range("10.78.0.0/24"), "hbr1"},
                         {range("fd00:77::/64"), "hbr0"},
                         {range("fd00:78::/64"), "hbr1"}};
  set_rules(rules());
}

World::~World() {
  EXPECT_TRUE(kernel_->remove_everything());
  EXPECT_EQ(host::run("nft list tables | grep heddle || true"), "");
}

std::set<NetworkRules> World::rules() const {
  return {{.device = "hbr0", .subnets = {range("10.77.0.0/24"), range("fd00:77::/64")}},
          {.device = "hbr1", .subnets = {range("10.78.0.0/24"), range("fd00:78::/64")}}};
}

void World::apply(const Operation& operation) {
  const auto applied = kernel_->apply(operation);
  ASSERT_TRUE(applied) << applied.error().text();
}

void World::set_rules(const std::set<NetworkRules>& rules) {
  wanted_.rules = rules;
  apply(SetRules{wanted_.masquerades, rules});
}

void World::publish(Protocol protocol, const char* at, const char* target) {
  const SocketAddr from = SocketAddr::parse(at).value();
  const SocketAddr to = SocketAddr::parse(target).value();
  const PublishedKey key{protocol, from.address, from.port};
  wanted_.published[key] = {to.address, to.port};
  apply(ChangePublished{{{key, {to.address, to.port}}}, {}});
}

void World::renew() {
  const HostState seen = kernel_->observe(wanted_).value();
  if (seen.masquerades != wanted_.masquerades || seen.rules != wanted_.rules)
    apply(SetRules{wanted_.masquerades, wanted_.rules});
  if (seen.published != wanted_.published) apply(ChangePublished{wanted_.published, {}});
}

void World::add_bridge(const char* name, const char* v4, const char* v6) {
  const Bridge bridge{.name = name,
                      .mac = {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(name[3])}},
                      .mtu = 1500,
                      .addresses = {IfAddr::parse(v4).value(), IfAddr::parse(v6).value()}};
  apply(Ensure<Bridge>{bridge});
  const std::string localnet = std::string("net/ipv4/conf/") + name + "/route_localnet";
  apply(SetSysctl{localnet, "1"});
}

SandboxPath World::add_endpoint(const std::string& name, const char* bridge,
                                const std::string& subnet4, const std::string& subnet6,
                                int number) {
  Attachment attachment;
  attachment.host_name = "hv" + name;
  attachment.sandbox = host_.add_sandbox(name);
  attachment.name = "eth0";
  attachment.host_mac = {{2, 1, 0, 0, 0, static_cast<std::uint8_t>(number)}};
  attachment.mac = {{2, 2, 0, 0, 0, static_cast<std::uint8_t>(number)}};
  attachment.addresses = {IfAddr::parse(subnet4 + std::to_string(number) + "/24").value(),
                          IfAddr::parse(subnet6 + std::to_string(number) + "/64").value()};
  attachment.routes = {{Prefix(), ip((subnet4 + "1").c_str())},
                       {range("::/0"), ip((subnet6 + "1").c_str())}};
  attachment.bridge = bridge;
  apply(Ensure<Attachment>{attachment});
  return attachment.sandbox;
}

void World::add_outside() {
  outside_ = host_.add_sandbox("outside");
  host::run("ip link add out0 type veth peer name eth0 netns " + outside_ +
            " && ip addr add 192.0.2.1/24 dev out0 && ip addr add 2001:db8::1/64 dev out0 nodad"
            " && ip link set out0 up");
  host::run_in(outside_,
               "ip addr add 192.0.2.2/24 dev eth0; ip addr add 2001:db8::2/64 dev eth0 nodad; "
               "ip link set eth0 up; ip route add 10.76.0.0/14 via 192.0.2.1; "
               "ip -6 route add fd00::/16 via 2001:db8::1");
}

std::string World::reach(const std::string& client, const char* to, const std::string& server,
                         const char* target) {
  const SocketAddr local = SocketAddr::parse(target).value();
  const UniqueFd listener = open_socket(server, family_of(local), SOCK_STREAM);
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  Raw at = raw(local);
  if (::bind(listener.get(), at.get(), at.size) < 0 || ::listen(listener.get(), 4) < 0) {
    ADD_FAILURE() << "listen on " << target << ": " << std::strerror(errno);
    return {};
  }
  Raw goal = raw(SocketAddr::parse(to).value());
  const UniqueFd caller = open_socket(client, goal.storage.ss_family, SOCK_STREAM);
  if (::connect(caller.get(), goal.get(), goal.size) < 0 && errno != EINPROGRESS) return {};
  if (!ready(listener, POLLIN, kRefusalMs)) return {};
  Raw peer;
  const UniqueFd connection(::accept(listener.get(), peer.get(), &peer.size));
  // The answer's way counts too: the client sees the connection made.
  if (!ready(caller, POLLOUT, kPatienceMs)) return "no answer";
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(caller.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error ? "no answer" : text(peer);
}

UniqueFd udp_bound(const std::string& sandbox, const char* address) {
  const SocketAddr local = SocketAddr::parse(address).value();
  UniqueFd made = open_socket(sandbox, family_of(local), SOCK_DGRAM);
  Raw at = raw(local);
  EXPECT_EQ(::bind(made.get(), at.get(), at.size), 0) << address << ": " << std::strerror(errno);
  return made;
}

UniqueFd udp_connected(const std::string& sandbox, const char* address) {
  const SocketAddr goal = SocketAddr::parse(address).value();
  UniqueFd made = open_socket(sandbox, family_of(goal), SOCK_DGRAM);
  Raw at = raw(goal);
  EXPECT_EQ(::connect(made.get(), at.get(), at.size), 0) << address << ": " << std::strerror(errno);
  return made;
}

bool send(const UniqueFd& socket) {
  // The first reports a refusal that an earlier datagram met.
  return ::send(socket.get(), "x", 1, 0) == 1 || ::send(socket.get(), "x", 1, 0) == 1;
}

bool receives(const UniqueFd& socket) {
  if (!ready(socket, POLLIN, kRefusalMs)) return false;
  char buffer[16];
  while (::recv(socket.get(), buffer, sizeof buffer, 0) >= 0) {
  }
  return true;
}

}  // namespace heddle::dataplane
