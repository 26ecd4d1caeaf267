// Goal: an endpoint follows its container: through stop, start, rename and removal, through a
// restart of the daemon, and whatever comes in which order. Method: a whole node on a kernel in
// memory, and engines that say what the test wants.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/netd/control/node_fixture.h"

namespace heddle::control {
namespace {

using model::EndpointState;
using model::WorkloadState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ContainersTest : public NodeTest {
 protected:
  ContainersTest() {
    model::Network blue;
    blue.id = "blue000000000000";
    blue.name = "blue";
    blue.driver = "bridge";
    blue.subnets = {{*Prefix::parse("172.30.0.0/24"), *IpAddr::parse("172.30.0.1"), {}, {}}};
    put_network(blue);
  }

  static std::string id(char digit = 'a') { return std::string(64, digit); }

  // One run of a container, alive.
  engine::Sighting run(std::int64_t pid, const std::string& name = "web", char digit = 'a') {
    processes_.living[pid] = true;
    auto sandbox = std::make_shared<engine::Sandbox>();
    sandbox->process = {pid, "1"};
    sandbox->cookie = static_cast<std::uint64_t>(pid) * 10;
    sandbox->interfaces = interfaces_;
    sandbox->routed = routed_;
    return {
        .kind = model::WorkloadKind::docker,
        .id = id(digit),
        .container =
            engine::Container{
                .id = id(digit), .name = name, .status = "running", .running = true, .pid = pid},
        .sandbox = std::move(sandbox)};
  }
  static engine::Sighting stopped(const std::string& name = "web", char digit = 'a') {
    return {.kind = model::WorkloadKind::docker,
            .id = id(digit),
            .container = engine::Container{.id = id(digit), .name = name, .status = "exited"},
            .sandbox = nullptr};
  }
  static engine::Sighting removed() {
    return {.kind = model::WorkloadKind::docker, .id = id(), .container = {}, .sandbox = nullptr};
  }

  void see(const engine::Sighting& seen) {
    control_->container_changed(seen);
    settle();
  }
  // Until the executor has done what it was given.
  void settle() { ASSERT_TRUE(control_->verify(Repair::no)); }
  void die(std::int64_t pid) {
    processes_.living.erase(pid);
    processes_.watched.at(pid)(-1);
    settle();
  }

  model::Endpoint connected(ConnectSpec spec = {}) {
    engines_.running["docker:web"] = run(100);
    spec.network = "blue";
    spec.workload = "docker:web";
    const auto made = connect(spec);
    EXPECT_TRUE(made) << made.error().text();
    return made.value_or(model::Endpoint());
  }
  std::vector<model::Workload> containers() const {
    std::vector<model::Workload> all;
    const auto view = control_->view();
    for (const auto& [id, workload] : view->workloads) {
      if (workload.kind == model::WorkloadKind::docker) all.push_back(workload);
    }
    return all;
  }
  model::Workload workload() const {
    const auto all = containers();
    EXPECT_THAT(all, SizeIs(1));
    return all.empty() ? model::Workload() : all.front();
  }
  model::Endpoint endpoint() const { return control_->view()->endpoints.begin()->second; }

  std::set<std::string> interfaces_;
  std::set<std::string> routed_;
};

TEST_F(ContainersTest, IsConnectedByItsIdAndFollowed) {
  start();
  const auto made = connected();
  EXPECT_EQ(made.state, EndpointState::ready);
  EXPECT_EQ(workload().name, "web");
  EXPECT_EQ(workload().container, id());
  EXPECT_EQ(workload().state, WorkloadState::running);
  EXPECT_EQ(workload().pid, 100);
  EXPECT_THAT(engines_.pins, ElementsAre(workload().sandbox));
  EXPECT_THAT(engines_.followed[model::WorkloadKind::docker], ElementsAre(id()));
  EXPECT_THAT(kernel_.state().attachments, SizeIs(1));
  EXPECT_EQ(kernel_.state().attachments.begin()->second.sandbox, workload().sandbox);
  ASSERT_TRUE(control_->disconnect("blue", "docker:web", soon()));
  EXPECT_THAT(containers(), IsEmpty());
  EXPECT_THAT(engines_.pins, IsEmpty());
  EXPECT_THAT(engines_.followed[model::WorkloadKind::docker], IsEmpty());
}

TEST_F(ContainersTest, ARefusedConnectLeavesNothing) {
  start();
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  EXPECT_FALSE(connect({.network = "blue", .workload = "docker:web"}));
  engines_.running["docker:web"] = run(100);
  EXPECT_FALSE(connect({.network = "red", .workload = "docker:web"}));
  kernel_.fail_apply(1, Error(Errc::denied, "no"));
  EXPECT_FALSE(connect({.network = "blue", .workload = "docker:web"}));
  processes_.living.clear();
  const auto ended = connect({.network = "blue", .workload = "docker:web"});
  EXPECT_THAT(ended.error().text(), HasSubstr("ended meanwhile"));
  EXPECT_THAT(containers(), IsEmpty());
  EXPECT_THAT(engines_.pins, IsEmpty());
  EXPECT_THAT(engines_.followed[model::WorkloadKind::docker], IsEmpty());
}

TEST_F(ContainersTest, AStopKeepsTheAddressAndNothingElse) {
  start();
  const auto made = connected();
  die(100);
  EXPECT_EQ(workload().state, WorkloadState::exited);
  EXPECT_EQ(workload().sandbox, "");
  EXPECT_EQ(endpoint().state, EndpointState::gone);
  EXPECT_EQ(endpoint().address, made.address);
  EXPECT_THAT(engines_.pins, IsEmpty());
  EXPECT_THAT(kernel_.state().attachments, IsEmpty());
  EXPECT_THAT(engines_.followed[model::WorkloadKind::docker], ElementsAre(id()));
  const auto other = connect({.network = "blue", .workload = "c1"});
  ASSERT_TRUE(other);
  EXPECT_NE(other->address, made.address) << "it is still the container's";
  EXPECT_FALSE(connect({.network = "blue", .workload = "c2", .address = made.address.address}));
}

TEST_F(ContainersTest, AStartAttachesTheSameEndpointInTheNewNamespace) {
  start();
  auto made = connected({.mac = *Mac::parse("02:11:22:33:44:55"),
                         .published = {{.host_address = *IpAddr::parse("127.0.0.1"), .port = 80}}});
  const std::string first = workload().sandbox;
  const auto published = kernel_.state().published;
  die(100);
  EXPECT_THAT(kernel_.state().published, IsEmpty());
  see(run(200));
  EXPECT_NE(workload().sandbox, first);
  EXPECT_EQ(endpoint(), made) << "with all that it had";
  ASSERT_THAT(kernel_.state().attachments, SizeIs(1));
  EXPECT_EQ(kernel_.state().attachments.begin()->second.sandbox, workload().sandbox);
  EXPECT_EQ(kernel_.state().published, published);
  EXPECT_THAT(engines_.pins, ElementsAre(workload().sandbox));
  die(200);
  EXPECT_EQ(workload().state, WorkloadState::exited) << "the new process is watched";
}

TEST_F(ContainersTest, AnEndThatIsToldLateChangesNothing) {
  start();
  connected();
  const auto first_end = processes_.watched.at(100);
  see(run(200));
  const auto now = workload();
  EXPECT_EQ(now.pid, 200);
  first_end(-1);
  settle();
  EXPECT_EQ(workload(), now);
  processes_.living.erase(100);
  see(engines_.running["docker:web"]);
  EXPECT_EQ(workload(), now) << "what was seen of the run before";
}

TEST_F(ContainersTest, ARunThatNobodySawEndEndsBeforeTheNext) {
  start();
  connected();
  kernel_.clear_applied();
  see(run(200));
  const auto removed = std::ranges::find_if(kernel_.applied(), [](const auto& operation) {
    return std::holds_alternative<dataplane::RemoveAttachment>(operation);
  });
  EXPECT_NE(removed, kernel_.applied().end()) << "sockets of the old namespace go with it";
  EXPECT_THAT(engines_.pins, ElementsAre(workload().sandbox));
}

TEST_F(ContainersTest, AStopThatNobodySawIsFoundByLooking) {
  start();
  connected();
  see(stopped());
  EXPECT_EQ(workload().state, WorkloadState::exited);
  see(run(200));
  EXPECT_EQ(endpoint().state, EndpointState::ready);
}

TEST_F(ContainersTest, ABackendIsWithdrawnWhenItIsToldToEnd) {
  start();
  const model::ServicePort port{.name = "", .port = 53, .protocol = model::Protocol::udp};
  connected({.service = "names", .ports = {port}});
  ASSERT_EQ(endpoint().state, EndpointState::ready);
  auto ending = run(100);
  ending.ending = true;
  see(ending);
  EXPECT_EQ(endpoint().state, EndpointState::draining);
  EXPECT_EQ(workload().state, WorkloadState::running);
  see(run(100));
  EXPECT_EQ(endpoint().state, EndpointState::ready) << "it went on";
  auto paused = run(100);
  paused.container->paused = true;
  see(paused);
  EXPECT_EQ(endpoint().state, EndpointState::draining);
  die(100);
  EXPECT_EQ(endpoint().state, EndpointState::gone);
  see(run(200));
  EXPECT_EQ(endpoint().state, EndpointState::ready);
}

TEST_F(ContainersTest, WhoServesNobodyIsNotDrained) {
  start();
  connected();
  auto ending = run(100);
  ending.ending = true;
  see(ending);
  EXPECT_EQ(endpoint().state, EndpointState::ready);
}

TEST_F(ContainersTest, ATcpBackendIsAskedAgainAfterAStart) {
  start();
  connected({.service = "web", .ports = {{.name = "", .port = 80}}});
  die(100);
  see(run(200));
  EXPECT_EQ(endpoint().state, EndpointState::starting);
}

TEST_F(ContainersTest, ARemovalReleasesTheEndpoint) {
  start();
  const auto made = connected();
  see(removed());
  EXPECT_THAT(containers(), IsEmpty());
  EXPECT_THAT(control_->view()->endpoints, IsEmpty());
  EXPECT_THAT(engines_.pins, IsEmpty());
  EXPECT_THAT(engines_.followed[model::WorkloadKind::docker], IsEmpty());
  see(run(100));
  EXPECT_THAT(containers(), IsEmpty()) << "a look that was under way";
}

TEST_F(ContainersTest, ARenameChangesTheNameAlone) {
  start();
  const auto made = connected();
  see(run(100, "Shop.web_1"));
  EXPECT_EQ(workload().container_name, "Shop.web_1");
  EXPECT_EQ(workload().name, "shop-web_1");
  auto renamed = made;
  renamed.workload_name = "shop-web_1";
  EXPECT_EQ(endpoint(), renamed);
  EXPECT_TRUE(control_->disconnect("blue", "docker:Shop.web_1", soon()));
}

TEST_F(ContainersTest, NamesThatAreTakenOrNoLabelsGetTheIdBesides) {
  start();
  engines_.running["docker:c1"] = run(100, "c1");
  ASSERT_TRUE(connect({.network = "blue", .workload = "docker:c1"}));
  const auto found = [&] { return *model::find_workload(*control_->view(), "docker:" + id()); };
  EXPECT_EQ(found()->name, "c1-aaaaaaaaaaaa") << "a workload c1 is there already";
  see(run(100, std::string(200, 'x')));
  EXPECT_EQ(found()->name, std::string(50, 'x') + "-aaaaaaaaaaaa");
  see(run(100, "_odd"));
  EXPECT_EQ(found()->name, "c-aaaaaaaaaaaa");
}

TEST_F(ContainersTest, WhatTheEngineMadeInsideIsLeftAlone) {
  interfaces_ = {"eth0", "eth1"};
  routed_ = {"eth0"};
  start();
  const auto made = connected();
  EXPECT_EQ(made.interface, "eth2");
  EXPECT_TRUE(workload().routed);
  const auto has_default = [&] {
    const auto& routes = kernel_.state().attachments.begin()->second.routes;
    return std::ranges::any_of(routes, [](const auto& r) { return r.destination.length() == 0; });
  };
  EXPECT_FALSE(has_default());
  die(100);
  interfaces_ = {};
  routed_ = {};
  see(run(200));
  EXPECT_TRUE(has_default()) << "now it has no other way out";
}

TEST_F(ContainersTest, OurOwnRouteIsNoneOfTheEngines) {
  start();
  connected();
  interfaces_ = {"eth0"};
  routed_ = {"eth0"};
  see(run(100));
  EXPECT_FALSE(workload().routed);
}

TEST_F(ContainersTest, ADaemonThatWasAwayCatchesUp) {
  start();
  const auto made = connected();
  const std::string sandbox = workload().sandbox;
  control_.reset();
  kernel_.clear_applied();
  start();
  EXPECT_THAT(kernel_.applied(), IsEmpty()) << "it lives on, untouched";
  EXPECT_THAT(engines_.followed[model::WorkloadKind::docker], ElementsAre(id()));
  control_.reset();
  processes_.living.erase(100);  // and its number may be somebody else's
  start();
  EXPECT_EQ(workload().state, WorkloadState::exited);
  EXPECT_EQ(endpoint().state, EndpointState::gone);
  EXPECT_THAT(engines_.pins, IsEmpty());
  EXPECT_THAT(kernel_.state().attachments, IsEmpty());
  see(run(200));
  EXPECT_EQ(endpoint(), made);
}

TEST_F(ContainersTest, AReferenceByOurNameAsksTheEngineToo) {
  start();
  connected();
  engines_.running["docker:" + id()] = run(100);
  EXPECT_EQ(connect({.network = "blue", .workload = "web"}).error().code(), Errc::exists);
  die(100);
  engines_.running.clear();
  EXPECT_THAT(connect({.network = "blue", .workload = "web"}).error().text(),
              HasSubstr("is not running"));
  EXPECT_THAT(control_->inject_sidecar("docker:web", soon()).error().text(),
              HasSubstr("'web' is not running"));
}

TEST_F(ContainersTest, TakingItOutLeavesItsProcessAlone) {
  start();
  connected();
  ASSERT_TRUE(control_->remove_workload("docker:web", Force::no, soon()));
  EXPECT_THAT(containers(), IsEmpty());
  EXPECT_THAT(engines_.pins, IsEmpty());
  EXPECT_TRUE(processes_.living.contains(100));
}

TEST_F(ContainersTest, VerifyTellsThatAnEngineIsNotThere) {
  start();
  engines_.told = {"Docker at /run/docker.sock does not answer"};
  EXPECT_THAT(control_->verify(Repair::no)->differences, ElementsAre(engines_.told.front()));
}

}  // namespace
}  // namespace heddle::control
