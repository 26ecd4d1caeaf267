#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "dataplane/fake/fake_kernel.h"
#include "netd/api/codec.h"
#include "netd/control/control.h"
#include "netd/dns/server.h"
#include "netd/driver/bridge/bridge_driver.h"
#include "netd/driver/host/host_driver.h"
#include "netd/driver/ipvlan/ipvlan_driver.h"
#include "netd/driver/macvlan/macvlan_driver.h"
#include "netd/driver/none/none_driver.h"
#include "netd/driver/overlay/overlay_driver.h"
#include "tests/support/node_fakes.h"

namespace heddle::control {

// A node with a kernel in memory: everything above the dataplane is real.
class NodeTest : public testing::Test {
 protected:
  NodeTest() {
    char path[] = "/tmp/heddle-control-XXXXXX";
    dir_ = ::mkdtemp(path);
    store_ = *store::open_sqlite(dir_ + "/heddle.db");
    drivers_.add(std::make_unique<bridge::BridgeDriver>());
    drivers_.add(std::make_unique<overlay::OverlayDriver>());
    drivers_.add(std::make_unique<macvlan::MacvlanDriver>());
    drivers_.add(std::make_unique<ipvlan::IpvlanDriver>());
    drivers_.add(std::make_unique<host::HostDriver>());
    drivers_.add(std::make_unique<none::NoneDriver>());
    dns_ = *dns::DnsServer::start({});
    engines_.on_pin = [this](const std::string& pin) { kernel_.add_sandbox(pin); };
    engines_.on_unpin = [this](const std::string& pin) { kernel_.remove_sandbox(pin); };
    for (const char* name : {"c1", "c2", "c3"}) {
      kernel_.add_sandbox(sandbox(name));
      put_workload(name);
    }
  }
  ~NodeTest() override {
    control_.reset();
    std::filesystem::remove_all(dir_);
  }

  static std::string sandbox(const std::string& name) { return "/sandboxes/" + name; }

  // As a workload that an earlier daemon stored.
  void put_workload(const std::string& name) {
    model::Workload workload;
    workload.id = name + "00000000";
    workload.name = name;
    workload.kind = model::WorkloadKind::netns;
    workload.sandbox = sandbox(name);
    ASSERT_TRUE(store_->commit({.puts = {{.kind = "workload",
                                          .id = workload.id,
                                          .name = name,
                                          .payload = api::encode(workload)}}},
                               after(std::chrono::seconds(1))));
  }

  // A network that an earlier daemon stored.
  void put_network(const model::Network& network) {
    ASSERT_TRUE(store_->commit({.puts = {{.kind = "network",
                                          .id = network.id,
                                          .name = network.name,
                                          .payload = api::encode(network)}}},
                               after(std::chrono::seconds(1))));
  }

  void start() {
    std::map<std::string, UniqueFd> kept;
    if (!visitor_) visitor_ = netns::Visitor::open().value();
    resolvers_ = std::make_unique<Resolvers>(Resolvers::Parts{*dns_, keeper_, *visitor_}, kept);
    control_ = std::make_unique<Control>(
        Control::Settings{.state_dir = dir_,
                          .run_dir = dir_ + "/run",
                          .cgroup = "/cgroup",
                          .node_name = "h1",
                          .local_pools = {*Prefix::parse("172.20.0.0/14")},
                          .never_choose = never_,
                          .survey_host = [this]() -> Result<HostSurvey> { return host_; },
                          .has_address = [](const IpAddr&) { return true; },
                          .host_addresses = [] { return Result<std::vector<HostAddress>>(); },
                          .audit_interval = std::chrono::hours(1),
                          .forward_drops = [this] { return forward_drops_; },
                          .system_info = [] { return SystemInfo{}; },
                          .ask_to_end = [] {}});
    const auto started = control_->start({.clock = &clock_,
                                          .store = store_.get(),
                                          .kernel = kernel(),
                                          .drivers = &drivers_,
                                          .keeper = &keeper_,
                                          .processes = &processes_,
                                          .mesh = &mesh_,
                                          .resolvers = resolvers_.get(),
                                          .cluster = &cluster_,
                                          .engines = &engines_});
    ASSERT_TRUE(started) << started.error().text();
  }

  virtual dataplane::Kernel* kernel() { return &kernel_; }

  static Deadline soon() { return after(std::chrono::seconds(5)); }

  Result<model::Network> create(NetworkSpec spec) { return control_->create_network(spec, soon()); }
  Result<model::Endpoint> connect(ConnectSpec spec) { return control_->connect(spec, soon()); }

  std::string dir_;
  HostSurvey host_;
  std::vector<Prefix> never_;
  Result<std::vector<std::string>> forward_drops_;
  ManualClock clock_;
  std::unique_ptr<store::Store> store_;
  dataplane::FakeKernel kernel_;
  driver::DriverSet drivers_;
  std::unique_ptr<dns::DnsServer> dns_;
  testing_support::FakeKeeper keeper_;
  testing_support::FakeProcesses processes_;
  testing_support::FakeMesh mesh_;
  testing_support::FakeCluster cluster_;
  testing_support::FakeEngines engines_;
  std::optional<netns::Visitor> visitor_;
  std::unique_ptr<Resolvers> resolvers_;
  std::unique_ptr<Control> control_;
};

}  // namespace heddle::control
