#pragma once
#include "tests/support/kernel_conformance.h"

// Sockets whose backend is gone; included where the suite is instantiated.
namespace heddle::dataplane {

class KernelFlows : public KernelConformance {
 protected:
  const SocketAddr vip_{ip("10.77.0.200"), 80};
  ServiceEntry service(std::vector<BackendAddress> backends) {
    return {.network = 3,
            .vip = vip_.address,
            .port = vip_.port,
            .protocol = Protocol::udp,
            .backends = std::move(backends)};
  }
  // A client with a way to all backends.
  SandboxPath client() {
    const auto sandbox = by_hand().add_sandbox("c1");
    ensure(overlaid("hv1", sandbox, 5));
    ensure(Member{sandbox, {3}, false});
    return sandbox;
  }
};

TEST_P(KernelFlows, ASocketEndsWithItsBackendAndNotBefore) {
  const auto sandbox = client();
  const BackendAddress first{ip("10.77.0.6"), 8080};
  const BackendAddress second{ip("10.77.0.7"), 8080};
  ensure(service({first}));
  if (!by_hand().connect(sandbox, vip_)) {
    expect_done(EndStaleFlows{});
    EXPECT_EQ(observe(), wanted_);
    return;
  }
  EXPECT_EQ(observe(), wanted_);
  for (const BackendUse use : {BackendUse::draining, BackendUse::failing}) {
    ensure(service({{first.address, first.port, use}, second}));
    EXPECT_EQ(observe(), wanted_);
    expect_done(EndStaleFlows{});
    EXPECT_TRUE(by_hand().connected());
  }
  ensure(service({second}));
  const HostState seen = observe();
  ASSERT_EQ(seen.stale_flows.size(), 1U);
  EXPECT_EQ(seen.stale_flows.begin()->sandbox, sandbox);
  EXPECT_EQ(seen.stale_flows.begin()->service, vip_);
  EXPECT_EQ(seen.stale_flows.begin()->backend, (SocketAddr{first.address, first.port}));
  EXPECT_TRUE(by_hand().connected());
  expect_done(EndStaleFlows{});
  EXPECT_FALSE(by_hand().connected());
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelFlows, ARemovedServiceLeavesSocketsToEnd) {
  const auto sandbox = client();
  ensure(service({{ip("10.77.0.6"), 8080}}));
  if (!by_hand().connect(sandbox, vip_)) return;
  expect_done(RemoveService{{vip_.address, vip_.port, Protocol::udp}});
  wanted_.services.clear();
  EXPECT_EQ(observe().stale_flows.size(), 1U);
  expect_done(EndStaleFlows{});
  EXPECT_FALSE(by_hand().connected());
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelFlows, UsesWeightsAndAffinityAreObservedAsTheyWereWanted) {
  ServiceEntry entry = service({{ip("10.77.0.5"), 80, BackendUse::ready, 3},
                                {ip("10.77.0.6"), 80, BackendUse::draining, 2},
                                {ip("10.77.0.7"), 80, BackendUse::failing, 1},
                                {ip("10.77.0.8"), 80, BackendUse::ready, 200}});
  entry.affinity = 600;
  ensure(entry);
  EXPECT_EQ(observe(), wanted_);
  entry.affinity = 0;
  entry.backends[0].weight = 4;
  ensure(entry);
  EXPECT_EQ(observe(), wanted_);
  entry.backends[0].weight = 0;
  EXPECT_EQ(expect_failure(Ensure<ServiceEntry>{entry}), Errc::invalid);
  EXPECT_EQ(observe(), wanted_);
}

}  // namespace heddle::dataplane
