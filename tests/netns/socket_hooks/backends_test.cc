// Which backend a call goes to: weights, affinity, backends that drain or fail; and what becomes of
// sockets whose backend is gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <future>
#include <optional>
#include <set>
#include <thread>

#include "dataplane/linux/stale_flows.h"
#include "tests/netns/socket_hooks/socket_hooks_fixture.h"

namespace heddle::testing {
namespace {

using dataplane::BackendUse;
using dataplane::Protocol;
using std::chrono::milliseconds;

const SocketAddr kWeb{kVip, 80};
constexpr std::array kAddresses = {"10.40.0.10:8080", "10.40.0.11:8080", "10.40.0.12:8081"};

class Backends : public SocketHooks {
 protected:
  void SetUp() override {
    SocketHooks::SetUp();
    put_member();
    for (std::size_t i = 0; i < kAddresses.size(); ++i) {
      auto tcp = tcp_listen(at(kAddresses[i]));
      auto udp = udp_bind(at(kAddresses[i]));
      ASSERT_TRUE(tcp.has_value() && udp.has_value());
      tcp_[i] = std::move(*tcp);
      udp_[i] = std::move(*udp);
    }
  }
  dataplane::ServiceEntry service(Protocol protocol,
                                  std::vector<dataplane::BackendAddress> backends,
                                  std::uint32_t affinity = 0) {
    return {.network = kNetwork,
            .vip = kVip,
            .port = 80,
            .protocol = protocol,
            .backends = std::move(backends),
            .affinity = affinity};
  }
  // How many connections each backend got since the last call.
  std::array<int, 3> accepted() {
    std::array<int, 3> counts{};
    for (std::size_t i = 0; i < tcp_.size(); ++i) {
      give_up_after(tcp_[i].get(), milliseconds(1));
      while (tcp_accept(tcp_[i].get())) ++counts[i];
    }
    return counts;
  }
  std::array<int, 3> received() {
    std::array<int, 3> counts{};
    for (std::size_t i = 0; i < udp_.size(); ++i) {
      give_up_after(udp_[i].get(), milliseconds(1));
      while (receive(udp_[i].get())) ++counts[i];
    }
    return counts;
  }
  void connect_often(int times) {
    for (int i = 0; i < times; ++i) ASSERT_TRUE(tcp_connect(kWeb).has_value());
  }
  static Result<std::size_t> read_some(int socket) {
    std::array<char, 16> buffer{};
    const auto got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got < 0) return fail_errno(errno, "recv");
    return static_cast<std::size_t>(got);
  }

  std::array<UniqueFd, 3> tcp_;
  std::array<UniqueFd, 3> udp_;
};

TEST_F(Backends, GetCallsInProportionToTheirWeights) {
  put_service(service(Protocol::tcp, {backend(kAddresses[0], BackendUse::ready, 3),
                                      backend(kAddresses[1], BackendUse::ready, 1),
                                      backend(kAddresses[2], BackendUse::ready, 2)}));
  connect_often(60);
  EXPECT_THAT(accepted(), ::testing::ElementsAre(30, 10, 20));
}

TEST_F(Backends, ThatDrainOrFailGetNoNewConnections) {
  put_service(
      service(Protocol::tcp, {backend(kAddresses[0], BackendUse::draining), backend(kAddresses[1]),
                              backend(kAddresses[2], BackendUse::failing)}));
  connect_often(9);
  EXPECT_THAT(accepted(), ::testing::ElementsAre(0, 9, 0));
  put_service(service(Protocol::tcp, {backend(kAddresses[0], BackendUse::draining),
                                      backend(kAddresses[2], BackendUse::failing)}));
  const auto refused = tcp_connect(kWeb);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().sys_errno(), ECONNREFUSED);
}

TEST_F(Backends, ThatDrainKeepUnconnectedSocketsAndThoseThatFailDoNot) {
  put_service(service(Protocol::udp, {backend(kAddresses[0])}));
  auto socket = udp_open();
  ASSERT_TRUE(send_to(socket->get(), "a", kWeb).has_value());
  EXPECT_THAT(received(), ::testing::ElementsAre(1, 0, 0));
  put_service(service(Protocol::udp,
                      {backend(kAddresses[0], BackendUse::draining), backend(kAddresses[1])}));
  ASSERT_TRUE(send_to(socket->get(), "b", kWeb).has_value());
  EXPECT_THAT(received(), ::testing::ElementsAre(1, 0, 0));
  auto other = udp_open();
  ASSERT_TRUE(send_to(other->get(), "c", kWeb).has_value());
  EXPECT_THAT(received(), ::testing::ElementsAre(0, 1, 0)) << "a new flow";
  put_service(service(Protocol::udp,
                      {backend(kAddresses[0], BackendUse::failing), backend(kAddresses[1])}));
  ASSERT_TRUE(send_to(socket->get(), "d", kWeb).has_value());
  EXPECT_THAT(received(), ::testing::ElementsAre(0, 1, 0));
}

TEST_F(Backends, AClientReturnsToItsOwnUntilTheTimeIsOver) {
  const std::vector all{backend(kAddresses[0]), backend(kAddresses[1]), backend(kAddresses[2])};
  put_service(service(Protocol::tcp, all, 3600));
  connect_often(9);
  const auto first = accepted();
  EXPECT_THAT(first, ::testing::Contains(9)) << "one got them all";
  // The list is another one, and still has it.
  put_service(service(Protocol::tcp,
                      {all[0], all[1], all[2], backend("10.40.0.13:80", BackendUse::failing)},
                      3600));
  connect_often(9);
  EXPECT_EQ(accepted(), first);

  put_service(service(Protocol::tcp, all, 1));
  connect_often(1);
  std::this_thread::sleep_for(milliseconds(1100));
  std::array<int, 3> later{};
  for (int i = 0; i < 3; ++i) {
    connect_often(1);
    const auto now = accepted();
    for (std::size_t j = 0; j < 3; ++j) later[j] += now[j];
    std::this_thread::sleep_for(milliseconds(1100));
  }
  EXPECT_THAT(later, ::testing::Not(::testing::Contains(4))) << "chosen anew each time";
}

TEST_F(Backends, AClientLeavesItsOwnWhenThatDrainsOrIsGone) {
  put_service(service(Protocol::tcp, {backend(kAddresses[0])}, 3600));
  connect_often(3);
  EXPECT_THAT(accepted(), ::testing::ElementsAre(3, 0, 0));
  put_service(service(
      Protocol::tcp, {backend(kAddresses[0], BackendUse::draining), backend(kAddresses[1])}, 3600));
  connect_often(3);
  EXPECT_THAT(accepted(), ::testing::ElementsAre(0, 3, 0));
  put_service(service(Protocol::tcp, {backend(kAddresses[0]), backend(kAddresses[2])}, 3600));
  connect_often(3);
  EXPECT_EQ(accepted()[1], 0);
}

TEST_F(Backends, AffinityHoldsForUnconnectedSocketsToo) {
  put_service(service(Protocol::udp, {backend(kAddresses[0]), backend(kAddresses[1])}, 3600));
  for (int i = 0; i < 6; ++i) {
    auto socket = udp_open();
    ASSERT_TRUE(send_to(socket->get(), "a", kWeb).has_value());
  }
  EXPECT_THAT(received(), ::testing::Contains(6));
}

// --- what becomes of sockets ---

class EndedSockets : public Backends {
 protected:
  void SetUp() override {
    Backends::SetUp();
    auto home = netns::Visitor::open();
    ASSERT_TRUE(home.has_value());
    home_.emplace(std::move(*home));
  }
  // The daemon's part, with this namespace as its only member.
  std::set<dataplane::StaleFlow> stale() {
    Ender ender(*this);
    auto found = ender.flows.find({{cookie_, "/proc/self/ns/net"}});
    EXPECT_TRUE(found.has_value()) << found.error().text();
    return found ? *found : std::set<dataplane::StaleFlow>();
  }
  void end_stale() { end_stale({{cookie_, "/proc/self/ns/net"}}); }
  void end_stale(const dataplane::StaleFlows::Paths& members) {
    Ender ender(*this);
    const auto ended = ender.flows.end(members);
    EXPECT_TRUE(ended.has_value()) << ended.error().text();
  }

 private:
  // Lends the programs out for a call.
  struct Ender {
    explicit Ender(EndedSockets& test)
        : lender(test), programs(std::move(test.programs_)), flows(*test.home_, programs) {}
    ~Ender() { lender.programs_ = std::move(*programs); }
    EndedSockets& lender;
    dataplane::ProgramsOrError programs;
    dataplane::StaleFlows flows;
  };
  std::optional<netns::Visitor> home_;
};

TEST_F(EndedSockets, NobodyWaitsForABackendThatIsGone) {
  const auto gone = backend(kAddresses[0]);
  for (const Protocol protocol : {Protocol::tcp, Protocol::udp})
    put_service(service(protocol, {gone}));
  std::vector<UniqueFd> clients;
  for (const Family family : {Family::v4, Family::mapped}) {
    auto tcp = tcp_connect(kWeb, family);
    auto udp = udp_open(family);
    ASSERT_TRUE(tcp.has_value() && udp.has_value());
    ASSERT_TRUE(udp_connect(udp->get(), kWeb, family).has_value());
    clients.push_back(std::move(*tcp));
    clients.push_back(std::move(*udp));
  }
  // Not by the VIP: nobody said that the address itself is gone.
  auto direct = tcp_connect(at(kAddresses[0]));
  auto direct_udp = udp_open();
  ASSERT_TRUE(direct.has_value() && direct_udp.has_value());
  ASSERT_TRUE(udp_connect(direct_udp->get(), at(kAddresses[0])).has_value());
  EXPECT_THAT(stale(), ::testing::IsEmpty());

  for (const Protocol protocol : {Protocol::tcp, Protocol::udp})
    put_service(service(protocol, {backend(kAddresses[1])}));
  const auto found = stale();
  EXPECT_EQ(found.size(), 4U);
  for (const dataplane::StaleFlow& flow : found) {
    EXPECT_EQ(flow.service, kWeb) << flow.client.format();
    EXPECT_EQ(flow.backend, at(kAddresses[0]));
  }
  std::vector<std::future<Result<std::size_t>>> waiting;
  for (const UniqueFd& client : clients) {
    give_up_after(client.get(), milliseconds(60'000));
    waiting.push_back(
        std::async(std::launch::async, [fd = client.get()] { return read_some(fd); }));
  }
  std::this_thread::sleep_for(milliseconds(100));  // until they block; before is as good
  end_stale();
  for (auto& reader : waiting) {
    ASSERT_EQ(reader.wait_for(std::chrono::seconds(30)), std::future_status::ready);
    const auto read = reader.get();
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().sys_errno(), ECONNABORTED);
  }
  EXPECT_THAT(stale(), ::testing::IsEmpty());
  EXPECT_TRUE(send_text(direct->get(), "x").has_value());
  EXPECT_TRUE(send_text(direct_udp->get(), "x").has_value());
  // The programs go on: what they open now goes elsewhere.
  ASSERT_TRUE(udp_connect(clients[1].get(), kWeb).has_value());
  ASSERT_TRUE(send_text(clients[1].get(), "again").has_value());
  give_up_after(udp_[1].get(), milliseconds(2000));
  EXPECT_EQ(receive(udp_[1].get()).value().text, "again");
}

TEST_F(EndedSockets, BackendsThatDrainOrFailKeepTheirs) {
  put_service(service(Protocol::tcp, {backend(kAddresses[0]), backend(kAddresses[1])}));
  auto first = tcp_connect(kWeb);
  auto second = tcp_connect(kWeb);
  ASSERT_TRUE(first.has_value() && second.has_value());
  put_service(service(Protocol::tcp, {backend(kAddresses[0], BackendUse::draining),
                                      backend(kAddresses[1], BackendUse::failing)}));
  EXPECT_THAT(stale(), ::testing::IsEmpty());
  end_stale();
  EXPECT_TRUE(send_text(first->get(), "x").has_value());
  EXPECT_TRUE(send_text(second->get(), "x").has_value());
}

TEST_F(EndedSockets, AServiceThatIsRemovedTakesItsSocketsAlong) {
  put_service(service(Protocol::tcp, {backend(kAddresses[0])}));
  auto client = tcp_connect(kWeb);
  ASSERT_TRUE(client.has_value());
  ASSERT_TRUE(programs_->remove_service({kVip, 80, Protocol::tcp}).has_value());
  end_stale();
  const auto read = read_some(client->get());
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().sys_errno(), ECONNABORTED);
}

TEST_F(EndedSockets, OnlyMembersAreTouched) {
  put_service(service(Protocol::tcp, {backend(kAddresses[0])}));
  auto client = tcp_connect(kWeb);
  ASSERT_TRUE(client.has_value());
  put_service(service(Protocol::tcp, {}));
  EXPECT_EQ(programs_->stale_sockets().value().size(), 1U);
  end_stale({{cookie_ + 1, "/proc/self/ns/net"}});
  EXPECT_TRUE(send_text(client->get(), "x").has_value());
  // A path that is another namespace by now.
  end_stale({{cookie_, "/proc/1/ns/net"}});
  EXPECT_TRUE(send_text(client->get(), "x").has_value());
}

TEST_F(EndedSockets, ThousandsAreFoundAndEnded) {
  put_service(service(Protocol::udp, {backend(kAddresses[0])}));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 2000; ++i) {
    auto socket = udp_open();
    if (!socket) break;  // more descriptors than this process may have
    ASSERT_TRUE(udp_connect(socket->get(), kWeb).has_value());
    clients.push_back(std::move(*socket));
  }
  put_service(service(Protocol::udp, {backend(kAddresses[1])}));
  EXPECT_EQ(stale().size(), clients.size());
  end_stale();
  EXPECT_THAT(stale(), ::testing::IsEmpty());
}

// --- what is told of calls ---

TEST_F(Backends, CallsAreToldToWhoWatches) {
  using bpf::FlowVerdict;
  auto ring = programs_->open_flows();
  ASSERT_TRUE(ring.has_value());
  const auto told = [&] { return (*ring)->take(milliseconds(0)).value(); };
  put_service(service(Protocol::tcp, {backend(kAddresses[0])}));
  ASSERT_TRUE(tcp_connect(kWeb).has_value());
  EXPECT_THAT(told(), ::testing::IsEmpty()) << "nobody watches yet";
  ASSERT_TRUE((*ring)->watch(1, milliseconds(60'000)).has_value());
  ASSERT_TRUE(tcp_connect(at(kAddresses[0])).has_value());
  EXPECT_THAT(told(), ::testing::IsEmpty()) << "no call of ours";
  for (const Family family : {Family::v4, Family::mapped}) {
    ASSERT_TRUE(tcp_connect(kWeb, family).has_value());
    const auto events = told();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].verdict, FlowVerdict::balanced);
    EXPECT_EQ(events[0].netns, cookie_);
    EXPECT_EQ(events[0].protocol, 6);
    EXPECT_EQ(events[0].to, kWeb);
    EXPECT_EQ(events[0].actual, at(kAddresses[0]));
  }
  put_service(service(Protocol::udp, {}));
  auto socket = udp_open();
  EXPECT_FALSE(send_to(socket->get(), "x", kWeb).has_value());
  const auto refused = told();
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].verdict, FlowVerdict::refused);
  EXPECT_EQ(refused[0].reason, "no_backend");
  put_member(true);
  EXPECT_TRUE(send_to(socket->get(), "x", at("192.0.2.53:53")).has_value());
  const auto steered = told();
  ASSERT_EQ(steered.size(), 1u);
  EXPECT_EQ(steered[0].verdict, FlowVerdict::steered);
  EXPECT_EQ(steered[0].actual, at("127.0.0.11:53"));
}

}  // namespace
}  // namespace heddle::testing
