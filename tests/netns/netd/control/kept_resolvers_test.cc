// Resolvers' sockets in real sandboxes, and what becomes of them with a Keeper that is late.
#include "netd/control/resolvers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "dataplane/netns/netns.h"
#include "netd/dns/server.h"
#include "tests/support/held_up_keeper.h"
#include "tests/support/host/private_host.h"
#include "tests/support/views.h"

namespace heddle::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const SocketAddr kResolver{IpAddr::v4(0x7f00000b), 53};

class KeptResolversTest : public testing::Test {
 protected:
  KeptResolversTest() {
    build_.network("app", "bridge", "10.1.0.0/16");
    build_.workload("c1").sandbox = sandbox_;
    build_.endpoint("c1", "app", "10.1.0.2");
    start();
  }

  void start() {
    resolvers_.reset();
    auto kept = keeper_.take_all().value();
    resolvers_ = std::make_unique<Resolvers>(Resolvers::Parts{*dns_, keeper_, visitor_}, kept);
  }
  void update() { resolvers_->update(std::make_shared<const model::View>(build_.view()), {}); }

  // Whether somebody has the address inside.
  bool is_bound() {
    const auto netns = netns::open(sandbox_).value();
    const auto bound = netns::bind_udp(netns.get(), kResolver);
    return !bound && bound.error().sys_errno() == EADDRINUSE;
  }

  host::PrivateHost host_;
  const std::string sandbox_ = host_.add_sandbox("c1");
  tests::ViewBuilder build_;
  std::unique_ptr<dns::DnsServer> dns_ = dns::DnsServer::start({.upstreams = {}}).value();
  const netns::Visitor visitor_ = netns::Visitor::open().value();
  testing_support::HeldUpKeeper keeper_;
  std::unique_ptr<Resolvers> resolvers_;
};

TEST_F(KeptResolversTest, SocketsAreBoundAtOnceAndKeptSoonAfter) {
  keeper_.hold_up(true);
  update();
  EXPECT_TRUE(is_bound());
  EXPECT_THAT(keeper_.names(), IsEmpty());
  keeper_.hold_up(false);
  resolvers_->finish();
  EXPECT_THAT(keeper_.names(), ElementsAre("dns/c1/tcp", "dns/c1/udp"));
}

TEST_F(KeptResolversTest, WhoComesBackAtOnceGetsTheAddressThatIsStillKept) {
  update();
  resolvers_->finish();
  keeper_.hold_up(true);
  const auto endpoint = build_.view().endpoints.at("c1-app");
  build_.view().endpoints.erase("c1-app");
  update();
  EXPECT_TRUE(is_bound()) << "the kept duplicates still have it";
  build_.view().endpoints.emplace("c1-app", endpoint);
  std::jthread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    keeper_.hold_up(false);
  });
  update();
  resolvers_->finish();
  EXPECT_TRUE(is_bound());
  EXPECT_THAT(keeper_.names(), ElementsAre("dns/c1/tcp", "dns/c1/udp"));
}

TEST_F(KeptResolversTest, TheNextDaemonTakesWhatWasKept) {
  update();
  start();
  update();
  resolvers_->finish();
  EXPECT_TRUE(is_bound());
  EXPECT_THAT(keeper_.names(), ElementsAre("dns/c1/tcp", "dns/c1/udp"));
}

TEST_F(KeptResolversTest, OneOfTwoSocketsIsNoResolverAndIsNotInTheWay) {
  update();
  resolvers_->finish();
  ASSERT_TRUE(keeper_.drop("dns/c1/tcp"));
  dns_->remove("c1");  // as if the daemon had been killed
  start();
  ASSERT_TRUE(is_bound());
  update();
  resolvers_->finish();
  EXPECT_THAT(keeper_.names(), ElementsAre("dns/c1/tcp", "dns/c1/udp"));
}

}  // namespace
}  // namespace heddle::control
