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

namespace heddle::mesh {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
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
  }
  ProxyStatus serve() {
    update();
    return wait_until(kLb, ProxyState::ready);
  }
  static void kill_proxy(const ProxyStatus& status) {
    ASSERT_EQ(::kill(static_cast<pid_t>(status.pid), SIGKILL), 0);
    until("its end", [&] { return !runtime::identify(status.pid); });
  }
  std::map<std::string, int> ask(int times) {
    std::map<std::string, int> answers;
    for (int i = 0; i < times; ++i) ++answers[get(front_)];
    return answers;
  }
  std::unique_ptr<OneAnswer> one_, two_;
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

TEST_F(LoadBalancerTest, AddedListenerIsServedWithoutLosingTheFirst) {
  serve();
  const SocketAddr first = front_;
  add_load_balancer();  // on another port
  auto& listeners = view_.load_balancers[kLb].listeners;
  listeners.insert(listeners.begin(), {first, model::AppProtocol::http1, "main", {}});
  update();
  // A connection that the ending process has accepted, but not read from, it may close: a client
  // sends such a request again. No connection is refused.
  for (int i = 0; i < 10; ++i) {
    const UniqueFd fd = connect_to(first);
    ASSERT_TRUE(fd);
    if (request_on(fd.get()).empty()) {
      EXPECT_NE(get(first), "");
    }
  }
  until("the second listener", [&] { return get(front_) != ""; });
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
