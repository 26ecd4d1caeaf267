#include "netd/control/endpoint_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netd/driver/names.h"

namespace heddle::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

IpAddr ip(const char* text) {
  return *IpAddr::parse(text);
}
std::string refusal(const auto& result) {
  return result ? std::string("accepted") : result.error().text();
}
model::Network blue() {
  model::Network network;
  network.id = "0123456789abcdef";
  network.name = "blue";
  network.driver = "bridge";
  return network;
}

TEST(EndpointOptions, DockersNamesAndOursMeanTheSame) {
  ConnectSpec docker;
  docker.options = {{"com.docker.network.endpoint.ifname", "web0"},
                    {"com.docker.network.endpoint.sysctls",
                     "net.ipv4.conf.IFNAME.rp_filter=2,net/ipv6/conf/IFNAME/accept_ra=0"}};
  ConnectSpec ours;
  ours.interface = "web0";
  ours.sysctls = {{"net.ipv4.conf.web0.rp_filter", "2"}, {"net.ipv6.conf.IFNAME.accept_ra", "0"}};
  for (const ConnectSpec& spec : {docker, ours}) {
    const auto options = read_endpoint_options(spec);
    ASSERT_TRUE(options) << options.error().text();
    EXPECT_EQ(options->interface, "web0");
    EXPECT_THAT(options->sysctls, ElementsAre(Pair("net.ipv4.conf.IFNAME.rp_filter", "2"),
                                              Pair("net.ipv6.conf.IFNAME.accept_ra", "0")));
  }
  EXPECT_THAT(read_endpoint_options({})->sysctls, IsEmpty());
}

TEST(EndpointOptions, AWeightIsABackends) {
  ConnectSpec spec;
  EXPECT_EQ(read_endpoint_options(spec)->weight, 1U);
  spec.options = {{"weight", "3"}};
  EXPECT_THAT(refusal(read_endpoint_options(spec)), HasSubstr("--service"));
  spec.service = "web";
  EXPECT_EQ(read_endpoint_options(spec)->weight, 3U);
  for (const char* bad : {"0", "256", "-1", "3x", ""}) {
    spec.options = {{"weight", bad}};
    EXPECT_THAT(refusal(read_endpoint_options(spec)), HasSubstr("from 1 to 255")) << bad;
  }
  spec.options = {{"", "3"}};
  EXPECT_THAT(refusal(read_endpoint_options(spec)), HasSubstr("weight (share of"));
}

TEST(EndpointOptions, SysctlsOfAnythingElseAreRefused) {
  for (const char* name :
       {"net.ipv4.ip_forward", "kernel.hostname", "net.ipv4.conf.eth1.rp_filter",
        "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.IFNAME.rp_filter.x", "", "net.ipv4.conf..x",
        "net.ipv4.conf.IFNAME.", "net.ipv4.conf.IFNAME.../x", "net.core.conf.IFNAME.somaxconn"}) {
    ConnectSpec spec;
    spec.interface = "eth0";
    spec.sysctls = {{name, "1"}};
    const auto refused = read_endpoint_options(spec);
    ASSERT_FALSE(refused.has_value()) << name;
    EXPECT_EQ(refused.error().code(), Errc::invalid) << name;
  }
  ConnectSpec spec;
  spec.sysctls = {{"net.ipv4.conf.IFNAME.rp_filter", ""}};
  EXPECT_FALSE(read_endpoint_options(spec).has_value()) << "no value";
  spec.sysctls = {{"net.ipv4.conf.IFNAME.rp_filter", "1\n2"}};
  EXPECT_FALSE(read_endpoint_options(spec).has_value()) << "two lines";
}

TEST(EndpointOptions, UnknownAndContradictingOnesAreNamed) {
  ConnectSpec spec;
  spec.options = {{"colour", "red"}};
  EXPECT_THAT(refusal(read_endpoint_options(spec)), HasSubstr("'colour' is unknown"));
  EXPECT_THAT(refusal(read_endpoint_options(spec)), HasSubstr("ifname"));
  spec.options = {{"ifname", "eth7"}};
  spec.interface = "eth8";
  EXPECT_THAT(refusal(read_endpoint_options(spec)), HasSubstr("named twice"));
  spec = {};
  spec.options = {{"sysctls", "net.ipv4.conf.IFNAME.rp_filter=1"}};
  spec.sysctls = {{"net.ipv4.conf.IFNAME.rp_filter", "2"}};
  EXPECT_THAT(refusal(read_endpoint_options(spec)), HasSubstr("given twice"));
  spec = {};
  spec.options = {{"sysctls", "net.ipv4.conf.IFNAME.rp_filter"}};
  EXPECT_THAT(refusal(read_endpoint_options(spec)), HasSubstr("not NAME=VALUE"));
  for (const char* name : {"lo", "a/b", "sixteen-letters-", "..", "all", "with space"}) {
    spec = {};
    spec.interface = name;
    EXPECT_THAT(refusal(read_endpoint_options(spec)), HasSubstr("interface name")) << name;
  }
}

TEST(EndpointValues, AreNamedWithTheirFlag) {
  const auto said = [](const ConnectSpec& spec) {
    return refusal(check_endpoint_values(spec, blue()));
  };
  EXPECT_EQ(said({.address = ip("fd00::1")}), "--ip fd00::1 is IPv6; give it with --ip6");
  EXPECT_EQ(said({.address6 = ip("10.0.0.1")}), "--ip6 10.0.0.1 is IPv4; give it with --ip");
  EXPECT_THAT(said({.mac = Mac{{1, 0, 0, 0, 0, 1}}}), HasSubstr("no unicast address"));
  EXPECT_THAT(said({.mac = Mac{}}), HasSubstr("no unicast address"));
  EXPECT_THAT(said({.mac = driver::bridge_mac(blue().id)}), HasSubstr("gateway's"));
  EXPECT_THAT(said({.mac = Mac{{2, 0x42, 10, 0, 0, 5}}}), "accepted");
  EXPECT_THAT(said({.rate_in = 10}), HasSubstr("too low"));
  EXPECT_THAT(said({.rate_out = 8000}), "accepted");
  EXPECT_THAT(said({.link_local = {ip("169.254.7.7"), ip("fe80::7")}}), "accepted");
  for (const char* address : {"10.0.0.1", "169.254.0.0", "169.254.255.255", "fd00::1", "fec0::1"}) {
    EXPECT_THAT(said({.link_local = {ip(address)}}), HasSubstr("must be in 169.254.0.0/16"))
        << address;
  }
  EXPECT_THAT(said({.link_local = {ip("fe80::7"), ip("fe80::7")}}), HasSubstr("given twice"));
  EXPECT_THAT(said({.aliases = {"No Name"}}), HasSubstr("alias"));
}

TEST(NetworkTakes, SaysWhyNot) {
  const auto said = [](const model::Network& network, const ConnectSpec& spec = {}) {
    return refusal(check_network_takes(spec, network, model::WorkloadKind::netns));
  };
  model::Network network = blue();
  EXPECT_EQ(said(network), "accepted");
  network.attachable = false;
  EXPECT_THAT(said(network), HasSubstr("not attachable"));
  EXPECT_EQ(said(network, {.service = "web"}), "accepted");
  EXPECT_TRUE(check_network_takes({}, network, model::WorkloadKind::load_balancer));
  network = blue();
  network.config_only = true;
  EXPECT_THAT(said(network), HasSubstr("--config-from blue"));
  const ConnectSpec published{.published = {model::PublishedPort{.host_port = 80, .port = 80}}};
  network = blue();
  network.internal = true;
  EXPECT_THAT(said(network, published), HasSubstr("internal"));
  EXPECT_EQ(said(network), "accepted");
  network = blue();
  network.driver = "macvlan";
  EXPECT_THAT(said(network, published), HasSubstr("driver macvlan"));
  EXPECT_EQ(said(network, {.mac = Mac{{2, 0, 0, 0, 0, 1}}}), "accepted");
  network.driver = "ipvlan";
  EXPECT_THAT(said(network, {.mac = Mac{{2, 0, 0, 0, 0, 1}}}), HasSubstr("share the parent's"));
  network.driver = "overlay";
  EXPECT_THAT(said(network, {.address6 = ip("fd00::2")}), HasSubstr("IPv6"));
}

}  // namespace
}  // namespace heddle::control
