// A sidecar's outbound direction. Method: nftables' redirect stands in for the connect hook (both
// answer SO_ORIGINAL_DST), in a private namespace whose loopback has every address.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "dataplane/netns/netns.h"
#include "tests/peer/mesh/fixture.h"

namespace heddle::mesh {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
const std::string kClient = "000000000000c11e";
const SocketAddr kVip = *SocketAddr::parse("10.32.0.2:8080");

class SidecarTest : public MeshTest {
 protected:
  void SetUp() override {
    MeshTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    // The proxy's own connections (uid 65534) go where they say.
    ASSERT_EQ(in_sandbox("ip route add local 10.32.0.0/20 dev lo && "
                         "nft 'table ip t { chain c { type nat hook output priority -100; "
                         "meta skuid != 65534 tcp dport { 8080, 9090 } redirect to :15001; }; }'"),
              0);
    one_ = std::make_unique<OneAnswer>(sandbox_, *SocketAddr::parse("10.32.0.11:8080"), "one");
    two_ = std::make_unique<OneAnswer>(sandbox_, *SocketAddr::parse("10.32.0.12:8080"), "two");
    add_network();
    add_backend("b1", "10.32.0.11");
    add_backend("b2", "10.32.0.12");
    add_sidecar();
    update();
  }
  void TearDown() override {
    MeshTest::TearDown();
    one_.reset();
    two_.reset();
  }
  int in_sandbox(const std::string& command) const {
    return std::system(("nsenter --net=" + sandbox_ + " sh -c \"" + command + "\"").c_str());
  }
  std::map<std::string, int> ask(int times) {
    std::map<std::string, int> answers;
    for (int i = 0; i < times; ++i) ++answers[get(kVip, sandbox_)];
    return answers;
  }
  std::unique_ptr<OneAnswer> one_, two_;
};

TEST_F(SidecarTest, ListenersExistAsSoonAsUpdateReturns) {
  EXPECT_GE(mesh_->listener(sandbox_, 15001), 0);
  EXPECT_GE(mesh_->listener(sandbox_, 15006), 0);
  EXPECT_EQ(mesh_->listener(sandbox_, 15002), -1);
  EXPECT_EQ(mesh_->listener("/another", 15006), -1);
  EXPECT_TRUE(fs::exists(mesh_->proxy_cgroup(kClient)));
}

TEST_F(SidecarTest, VipIsBalancedPerRequestAndFollowsStates) {
  wait_until(kClient, ProxyState::ready);
  EXPECT_EQ(ask(10), (std::map<std::string, int>{{"one", 5}, {"two", 5}}));
  view_.endpoints["b1"].state = model::EndpointState::gone;
  update();
  until("one is left", [&] { return ask(4) == std::map<std::string, int>{{"two", 4}}; });
  view_.endpoints["b1"].state = model::EndpointState::ready;
  update();
  until("one is back", [&] { return ask(4).size() == 2; });
}

TEST_F(SidecarTest, OtherDestinationsPassThrough) {
  wait_until(kClient, ProxyState::ready);
  const OneAnswer other(sandbox_, *SocketAddr::parse("10.32.0.77:9090"), "other");
  EXPECT_EQ(get(*SocketAddr::parse("10.32.0.77:9090"), sandbox_), "other");
}

TEST_F(SidecarTest, ResolvedServicesWorkOnWithoutADaemonAndFollowTheNext) {
  wait_until(kClient, ProxyState::ready);
  ASSERT_EQ(ask(4).size(), 2u);
  stop_mesh();
  EXPECT_EQ(ask(4).size(), 2u);
  start_mesh();
  view_.endpoints["b2"].state = model::EndpointState::gone;
  update();
  until("the next daemon's word", [&] { return ask(4) == std::map<std::string, int>{{"one", 4}}; });
}

TEST_F(SidecarTest, DeadProxyRefusesNobody) {
  const ProxyStatus status = wait_until(kClient, ProxyState::ready);
  ask(2);
  ASSERT_EQ(::kill(static_cast<pid_t>(status.pid), SIGKILL), 0);
  until("its end", [&] { return !runtime::identify(status.pid); });
  EXPECT_EQ(ask(4).count(""), 0u);
}

TEST_F(SidecarTest, ReplacedSandboxGetsListenersOfItsOwn) {
  const ProxyStatus before = wait_until(kClient, ProxyState::ready);
  one_.reset();
  two_.reset();
  ASSERT_TRUE(netns::remove(sandbox_));
  ASSERT_TRUE(netns::create(sandbox_));
  update();
  EXPECT_GE(mesh_->listener(sandbox_, 15006), 0);
  until("a proxy in the new one", [&] {
    const auto now = mesh_->status(kClient);
    return now && now->pid != before.pid && now->state == ProxyState::ready;
  });
  EXPECT_TRUE(connect_to(*SocketAddr::parse("127.0.0.1:15006"), sandbox_));
}

TEST_F(SidecarTest, MissingSandboxIsNamedAndServedWhenItComes) {
  model::Workload late = view_.workloads[kClient];
  late.id = "00000000000000aa";
  late.name = "late";
  late.sandbox = dir_ + "/late";
  view_.workloads[late.id] = late;
  view_.sidecars[late.id] = {late.id};
  update();
  EXPECT_THAT(wait_until(late.id, ProxyState::failed).problem, HasSubstr(late.sandbox));
  EXPECT_EQ(mesh_->listener(late.sandbox, 15006), -1);
  ASSERT_TRUE(netns::create(late.sandbox));
  wait_until(late.id, ProxyState::ready);
  view_.sidecars.erase(late.id);
  update();
  until("its end", [&] { return !fs::exists(mesh_->proxy_cgroup(late.id)); });
  ASSERT_TRUE(netns::remove(late.sandbox));
}

TEST_F(SidecarTest, RemoveEverythingEndsProxiesAndListenersAtOnce) {
  const ProxyStatus status = wait_until(kClient, ProxyState::ready);
  mesh_->remove_everything();
  EXPECT_FALSE(runtime::identify(status.pid));
  EXPECT_FALSE(connect_to(*SocketAddr::parse("127.0.0.1:15001"), sandbox_));
  EXPECT_FALSE(fs::exists(mesh_->proxy_cgroup(kClient)));
  EXPECT_TRUE(fs::is_empty(run_dir_ + "/proxies"));
  EXPECT_TRUE(keeper_->take_all()->empty());
}

}  // namespace
}  // namespace heddle::mesh
