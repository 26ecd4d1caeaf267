#include "tests/support/lab_links/world.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <thread>

#include "dataplane/netlink/address.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netns/netns.h"

namespace heddle::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Datagram {
  std::uint32_t number;
  std::uint32_t reserved;
  std::int64_t sent_ns;
};

std::int64_t now_ns() {
  return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
}

void receive(int socket, std::vector<World::Arrival>& out) {
  std::array<char, 9000> buffer;
  for (;;) {
    const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < static_cast<ssize_t>(sizeof(Datagram))) return;
    Datagram datagram;
    std::memcpy(&datagram, buffer.data(), sizeof datagram);
    out.push_back({datagram.number, std::chrono::nanoseconds(now_ns() - datagram.sent_ns)});
  }
}

void know(const plan::End& at, const plan::End& other) {
  if (at.netns.empty() || !at.master.empty()) return;
  const UniqueFd space = netns::open(at.netns).value();
  auto socket = netlink::Socket::open_in(space.get()).value();
  const auto link = netlink::find_link(socket, at.interface).value();
  for (const IfAddr& address : other.addresses)
    EXPECT_TRUE(netlink::put_neighbour(
        socket, {.address = address.address, .mac = other.mac, .link = link->index}));
}

plan::Plan plan_of(const std::string& text) {
  format::Lab lab = format::parse_lab(text, "world.yml", {}).value();
  for (format::Node& node : lab.nodes) node.sysctls["net.ipv6.conf.all.disable_ipv6"] = "1";
  return plan::plan_lab(lab, plan::LabPaths(plan::roots_for("/tmp/labs", "/tmp/cgroup"), lab.name))
      .value();
}

template <class T>
std::vector<const T*> pointers_to(const std::vector<T>& all) {
  std::vector<const T*> out;
  for (const T& one : all) out.push_back(&one);
  return out;
}

Result<> build(fabric::Fabric& fabric, const plan::Plan& plan) {
  TRY_DO(fabric.create_base());
  TRY_DO(fabric.add_bridges(pointers_to(plan.bridges)));
  TRY_DO(fabric.add_members(pointers_to(plan.members)));
  return fabric.add_links(pointers_to(plan.veths));
}

}  // namespace

World::World(const std::string& text) : plan_(plan_of(text)) {
  std::filesystem::create_directories(plan_.paths.netns_dir());
  fabric_ = std::make_unique<fabric::Fabric>(plan_);
  const auto created = build(*fabric_, plan_);
  EXPECT_TRUE(created) << created.error().text();
  links_ = std::make_unique<labd::Links>(plan_);
  const auto settled = links_->settle();
  EXPECT_TRUE(settled) << settled.error().text();
  for (const plan::LinkView& link : plan::links(plan_)) {
    know(*link.a, *link.b);
    know(*link.b, *link.a);
  }
}

World::~World() {
  links_.reset();
  for (const plan::Member& member : plan_.members) EXPECT_TRUE(netns::remove(member.netns));
  EXPECT_TRUE(netns::remove(plan_.paths.switch_netns()));
}

control::LinkStatus World::status(const std::string& link) const {
  const std::string name = plan::find_link(plan_, link).value().name();
  for (const control::LinkStatus& status : links_->status()) {
    if (status.a + " - " + status.b == name) return status;
  }
  ADD_FAILURE() << "no status of " << link;
  return {};
}

std::vector<World::Arrival> World::send(const Flow& flow) {
  const UniqueFd from = netns::open(netns(flow.from)).value();
  const UniqueFd to = netns::open(netns(flow.to)).value();
  const SocketAddr target = SocketAddr::parse(flow.address + ":7000").value();
  const UniqueFd receiver = netns::bind_udp(to.get(), target).value();
  const UniqueFd sender =
      netns::bind_udp(from.get(), SocketAddr::parse("0.0.0.0:0").value()).value();
  const int buffer = 32 << 20;
  ::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  ::setsockopt(sender.get(), SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  std::memcpy(&address.sin_addr, target.address.bytes().data(), 4);

  std::vector<Arrival> out;
  std::vector<char> bytes(std::max(flow.bytes, sizeof(Datagram)));
  auto next = Clock::now();
  for (int i = 0; i < flow.count; ++i) {
    const Datagram datagram{static_cast<std::uint32_t>(i), 0, now_ns()};
    std::memcpy(bytes.data(), &datagram, sizeof datagram);
    EXPECT_EQ(::sendto(sender.get(), bytes.data(), bytes.size(), 0,
                       reinterpret_cast<const sockaddr*>(&address), sizeof address),
              static_cast<ssize_t>(bytes.size()))
        << std::strerror(errno);
    receive(receiver.get(), out);
    next += flow.pace;
    while (Clock::now() < next) {
      std::this_thread::sleep_for(std::min<Clock::duration>(1ms, next - Clock::now()));
      receive(receiver.get(), out);
    }
  }
  pollfd polled{receiver.get(), POLLIN, 0};
  while (::poll(&polled, 1, 400) > 0) receive(receiver.get(), out);
  return out;
}

std::string two_nodes(const std::string& impair) {
  return "name: two\ntopology:\n  nodes: {a: , b: }\n  links:\n"
         "    - endpoints: [\"a:eth1\", \"b:eth1\"]\n"
         "      ipv4: [10.0.0.1/24, 10.0.0.2/24]\n" +
         (impair.empty() ? std::string() : "      impair: " + impair + "\n");
}

std::vector<std::uint32_t> numbers_of(const std::vector<World::Arrival>& arrivals) {
  std::vector<std::uint32_t> out;
  for (const World::Arrival& arrival : arrivals) out.push_back(arrival.number);
  std::ranges::sort(out);
  return out;
}

}  // namespace heddle::testing
