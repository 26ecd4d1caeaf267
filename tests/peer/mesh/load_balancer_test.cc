// Load balancers' proxies through their lives. Method: the real programs, a client and backends on
// loopback; the listener is the host's, the backends are in the sandbox.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "dataplane/netns/netns.h"
#include "tests/peer/mesh/fixture.h"
#include "tests/support/proxy/clients.h"
#include "tests/support/proxy/proxy_process.h"

namespace heddle::mesh {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
const std::string kLb = "00000000000000lb";

class LoadBalancerTest : public MeshTest {
 protected:
  void SetUp() override {
    MeshTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    one_ = std::make_unique<OneAnswer>(sandbox_, *SocketAddr::parse("127.0.1.1:8080"), "one");
    two_ = std::make_unique<OneAnswer>(sandbox_, *SocketAddr::parse("127.0.1.2:8080"), "two");
    add_network();
    add_backend("b1", "127.0.1.1");
    add_backend("b2", "127.0.1.2", "node2");
    add_load_balancer();
  }
  void TearDown() override {
    MeshTest::TearDown();
    one_.reset();
    two_.reset();
    three_.reset();
    four_.reset();
  }
  ProxyStatus serve() {
    update();
    return wait_until(kLb, ProxyState::ready);
  }
  static void kill_proxy(const ProxyStatus& status) {
    ASSERT_EQ(::kill(static_cast<pid_t>(status.pid), SIGKILL), 0);
    until("its end", [&] { return !runtime::identify(status.pid); });
  }
  // Another namespace at its path, with the same backends; the old one's go on until all is over.
  void replace_sandbox() {
    ASSERT_TRUE(netns::remove(sandbox_));
    ASSERT_TRUE(netns::create(sandbox_));
    three_ = std::make_unique<OneAnswer>(sandbox_, *SocketAddr::parse("127.0.1.1:8080"), "one");
    four_ = std::make_unique<OneAnswer>(sandbox_, *SocketAddr::parse("127.0.1.2:8080"), "two");
  }
  std::map<std::string, int> ask(int times) {
    std::map<std::string, int> answers;
    for (int i = 0; i < times; ++i) ++answers[get(front_)];
    return answers;
  }
  std::unique_ptr<OneAnswer> one_, two_;
  std::unique_ptr<OneAnswer> three_, four_;  // of a second sandbox
};

TEST_F(LoadBalancerTest, ServesFromItsSandboxToTheHostsAddress) {
  const ProxyStatus status = serve();
  EXPECT_EQ(status.revision, 1u);
  EXPECT_EQ(ask(10), (std::map<std::string, int>{{"one", 5}, {"two", 5}}));
  EXPECT_EQ(get_page(status.metrics, "/ready"), "ready\n");
  EXPECT_THAT(get_page(status.metrics, "/metrics"), HasSubstr("web.app"));
  struct stat info{};
  ASSERT_EQ(::stat(("/proc/" + std::to_string(status.pid)).c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 65534u);
  EXPECT_GT(changes_.load(), 0);
}

TEST_F(LoadBalancerTest, UnreachableNodesBackendIsLeftWithinMilliseconds) {
  serve();
  ask(4);
  view_.unreachable = {"node2"};
  const auto start = std::chrono::steady_clock::now();
  update();
  // The update is on its way as soon as update() returns; one request may still meet the old list.
  until("no answer by two", [&] { return ask(4) == std::map<std::string, int>{{"one", 4}}; });
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  view_.unreachable.clear();
  update();
  until("both again", [&] { return ask(4).size() == 2; });
}

TEST_F(LoadBalancerTest, KilledProxyComesBackOnTheSameListenerAndServesWhatWaited) {
  const ProxyStatus before = serve();
  kill_proxy(before);
  for (int i = 0; i < 20; ++i) {
    const std::string answer = get(front_);  // waits in the listener's queue meanwhile
    EXPECT_TRUE(answer == "one" || answer == "two") << "request " << i << ": '" << answer << "'";
  }
  const ProxyStatus after = wait_until(kLb, ProxyState::ready);
  EXPECT_NE(after.pid, before.pid);
}

TEST_F(LoadBalancerTest, ProxyOutlivesTheDaemonAndIsAdoptedByTheNext) {
  const ProxyStatus before = serve();
  stop_mesh();
  EXPECT_EQ(ask(4).size(), 2u) << "it works on without a daemon";
  start_mesh();
  view_.endpoints["b2"].state = model::EndpointState::draining;  // changed meanwhile
  const ProxyStatus after = serve();
  EXPECT_EQ(after.pid, before.pid);
  until("the new state", [&] { return ask(4) == std::map<std::string, int>{{"one", 4}}; });
}

TEST_F(LoadBalancerTest, ProxyThatDiedWithoutADaemonIsStartedOnTheKeptListener) {
  const ProxyStatus before = serve();
  stop_mesh();
  processes_ = std::move(*runtime::Processes::create());
  kill_proxy(before);
  const UniqueFd waiting = connect_to(front_);
  ASSERT_TRUE(waiting) << "the holder keeps the listener";
  start_mesh();
  update();
  const std::string answer = request_on(waiting.get());
  EXPECT_TRUE(answer == "one" || answer == "two");
}

TEST_F(LoadBalancerTest, ProxyThatNobodyWroteDownIsEndedFirst) {
  const ProxyStatus before = serve();
  stop_mesh();
  fs::remove(run_dir_ + "/proxies/" + kLb + ".pid");  // killed between start and writing
  start_mesh();
  const ProxyStatus after = serve();
  EXPECT_NE(after.pid, before.pid);
  until("the orphan's end", [&] { return !runtime::identify(before.pid); });
  EXPECT_EQ(ask(4).size(), 2u);
}

TEST_F(LoadBalancerTest, RemovedOneDrainsAndLeavesNothing) {
  const ProxyStatus before = serve();
  view_.load_balancers.clear();
  update();
  EXPECT_FALSE(mesh_->status(kLb));
  until("the process's end", [&] { return !runtime::identify(before.pid); });
  until("the socket's end", [&] { return !connect_to(front_); });
  until("the cgroup's end", [&] { return !fs::exists(mesh_->proxy_cgroup(kLb)); });
  until("the files' end", [&] { return fs::is_empty(run_dir_ + "/proxies"); });
  EXPECT_TRUE(keeper_->take_all()->empty());
}

TEST_F(LoadBalancerTest, UnwantedAndWantedAgainRefusesNobody) {
  serve();
  const auto balancers = view_.load_balancers;
  for (int round = 0; round < 3; ++round) {
    view_.load_balancers.clear();
    update();
    ::usleep(round * 200'000);  // before, and after, the linger's end
    view_.load_balancers = balancers;
    update();
    for (int i = 0; i < 10; ++i) EXPECT_NE(get(front_), "") << "round " << round;
  }
  wait_until(kLb, ProxyState::ready);
}

TEST_F(LoadBalancerTest, TakenAddressIsNamedAndTriedAgain) {
  auto taken = std::make_unique<OneAnswer>("/proc/self/ns/net", front_, "other");
  update();
  const ProxyStatus status = wait_until(kLb, ProxyState::failed);
  EXPECT_THAT(status.problem, HasSubstr(front_.format() + " is used by another program"));
  taken.reset();
  wait_until(kLb, ProxyState::ready);
  EXPECT_EQ(ask(4).size(), 2u);
}

TEST_F(LoadBalancerTest, ListenersComeAndGoUnderLoadWithoutAnotherProcess) {
  const ProxyStatus before = serve();
  const SocketAddr first = front_;
  const model::LoadBalancer one = view_.load_balancers[kLb];
  heddle::testing::Clients clients(first.port);
  for (int i = 0; i < 2; ++i) {
    clients.add_fresh();
    clients.add_kept();
  }
  for (int round = 0; round < 5; ++round) {
    add_load_balancer();  // on another port
    const SocketAddr second = front_;
    auto& listeners = view_.load_balancers[kLb].listeners;
    listeners.insert(listeners.begin(), one.listeners[0]);
    update();
    // Its socket listens as soon as update() returns: whoever comes is served.
    EXPECT_NE(get(second), "") << "round " << round;
    const UniqueFd kept = heddle::testing::connect_to(second.port);
    ASSERT_TRUE(kept);
    EXPECT_TRUE(clients.wait_for(20));
    view_.load_balancers[kLb] = one;
    update();
    EXPECT_NE(request_on(kept.get()), "") << "what came before is served, round " << round;
    until("the second socket's end", [&] { return !connect_to(second); });
    EXPECT_TRUE(clients.wait_for(20));
  }
  clients.stop();
  EXPECT_EQ(clients.count.lost, 0);
  EXPECT_EQ(clients.count.refused, 0);
  EXPECT_EQ(mesh_->status(kLb)->pid, before.pid);
  EXPECT_EQ(keeper_->take_all()->size(), 2u) << "the listener and its proxy's metrics";
}

TEST_F(LoadBalancerTest, AListenerGivesWayToAnotherAddressOfItsPort) {
  const ProxyStatus before = serve();
  auto& listener = view_.load_balancers[kLb].listeners[0];
  listener.address.address = IpAddr::v4(0);
  update();
  until("the wide address",
        [&] { return get(*SocketAddr::parse("127.0.0.9:" + std::to_string(front_.port))) != ""; });
  EXPECT_EQ(wait_until(kLb, ProxyState::ready).pid, before.pid);
}

TEST_F(LoadBalancerTest, AReplacedSandboxGetsANewProxyOnTheSameListener) {
  const ProxyStatus before = serve();
  heddle::testing::Clients clients(front_.port);
  clients.add_fresh();
  clients.add_kept();
  EXPECT_TRUE(clients.wait_for(20));
  replace_sandbox();
  update();
  until("another process", [&] {
    const auto status = mesh_->status(kLb);
    return status && status->pid > 0 && status->pid != before.pid;
  });
  EXPECT_TRUE(clients.wait_for(50));
  clients.stop();
  EXPECT_EQ(clients.count.lost, 0);
  EXPECT_EQ(clients.count.refused, 0);
}

TEST_F(LoadBalancerTest, LostHolderCostsOneRestartOfTheProxy) {
  const ProxyStatus before = serve();
  stop_mesh();
  ASSERT_TRUE(keeper_->shut());
  auto keeper = holder::open_keeper(
      {.socket = run_dir_ + "/holder.sock",
       .binary =
           fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin/heddle-holder",
       .cgroup = ""});
  ASSERT_TRUE(keeper);
  keeper_ = *std::move(keeper);
  start_mesh();
  const ProxyStatus after = serve();
  EXPECT_NE(after.pid, before.pid);
  EXPECT_EQ(ask(4).size(), 2u);
}

TEST_F(LoadBalancerTest, MissingProgramIsNamed) {
  stop_mesh();
  auto mesh = Mesh::start({.run_dir = run_dir_,
                           .log_dir = dir_ + "/log",
                           .proxy_binary = dir_ + "/no-proxy",
                           .cgroup_base = cgroup_,
                           .uid = 65534},
                          *keeper_, *processes_, [] {});
  ASSERT_TRUE(mesh);
  mesh_ = *std::move(mesh);
  update();
  EXPECT_THAT(wait_until(kLb, ProxyState::failed).problem, HasSubstr("no-proxy"));
}

}  // namespace
}  // namespace heddle::mesh
