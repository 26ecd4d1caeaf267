#include "dataplane/intent/loopback.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::dataplane {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

IpAddr ip(const char* text) {
  return IpAddr::parse(text).value();
}

HostState host() {
  HostState state;
  state.bridges["hbr0"] = {.name = "hbr0", .addresses = {IfAddr::parse("10.77.0.1/24").value()}};
  state.host_routes[ip("10.40.0.5")] = {ip("10.40.0.5"), "hv1", {}};
  return state;
}

TEST(LoopbackSettings, AreOfTheDeviceBehindWhichTheEndpointIs) {
  HostState state = host();
  state.published[{Protocol::tcp, IpAddr(), 80}] = {ip("10.77.0.5"), 80};
  EXPECT_THAT(loopback_settings(state),
              ElementsAre(Pair("net/ipv4/conf/hbr0/route_localnet", "1")));
  state.published = {{{Protocol::tcp, ip("127.0.0.1"), 80}, {ip("10.40.0.5"), 80}}};
  EXPECT_THAT(loopback_settings(state), ElementsAre(Pair("net/ipv4/conf/hv1/route_localnet", "1")));
}

TEST(LoopbackSettings, AreNoneForWhatIsNotReachedAtLoopback) {
  HostState state = host();
  EXPECT_THAT(loopback_settings(state), IsEmpty());
  state.published = {{{Protocol::tcp, ip("192.0.2.1"), 80}, {ip("10.77.0.5"), 80}},
                     {{Protocol::tcp, ip("::"), 80}, {ip("fd00::5"), 80}},
                     {{Protocol::tcp, IpAddr(), 81}, {ip("10.99.0.5"), 80}}};
  EXPECT_THAT(loopback_settings(state), IsEmpty());
}

}  // namespace
}  // namespace heddle::dataplane
