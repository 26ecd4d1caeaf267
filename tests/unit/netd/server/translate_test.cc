#include "netd/server/translate.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace heddle::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

template <class Message>
Message message(const std::string& text) {
  Message made;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &made)) << text;
  return made;
}

using Create = api::v1::CreateNetworkRequest;
using Update = api::v1::UpdateNetworkRequest;
using Connect = api::v1::ConnectRequest;

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "accepted" : result.error().text();
}

TEST(NetworkSpec, WhatIsLeftOutHasDockersDefaults) {
  const auto spec = network_spec(message<Create>("name: 'app'"));
  ASSERT_TRUE(spec.has_value());
  EXPECT_TRUE(spec->ipv4);
  EXPECT_FALSE(spec->ipv6);
  EXPECT_TRUE(spec->attachable);
  EXPECT_FALSE(spec->internal);
  EXPECT_EQ(spec->scope, std::nullopt);
}

TEST(NetworkSpec, EveryFieldArrives) {
  const auto spec = network_spec(message<Create>(
      "name: 'app' driver: 'macvlan' scope: SCOPE_LOCAL subnets: '10.40.0.0/20' "
      "subnets: 'fd00::/64' gateways: '10.40.0.1' ranges: '10.40.8.0/24' "
      "reserved { key: 'router' value: '10.40.0.2' } no_ipv4: true ipv6: true internal: true "
      "not_attachable: true config_only: true config_from: 'base' "
      "options { key: 'parent' value: 'eth0' } labels { key: 'a' value: 'b' }"));
  ASSERT_TRUE(spec.has_value()) << spec.error().text();
  EXPECT_EQ(spec->name, "app");
  EXPECT_EQ(spec->driver, "macvlan");
  EXPECT_EQ(spec->scope, model::Scope::local);
  EXPECT_THAT(spec->subnets,
              ElementsAre(*Prefix::parse("10.40.0.0/20"), *Prefix::parse("fd00::/64")));
  EXPECT_THAT(spec->gateways, ElementsAre(*IpAddr::parse("10.40.0.1")));
  EXPECT_THAT(spec->ranges, ElementsAre(*Prefix::parse("10.40.8.0/24")));
  EXPECT_THAT(spec->reserved, ElementsAre(Pair("router", *IpAddr::parse("10.40.0.2"))));
  EXPECT_FALSE(spec->ipv4);
  EXPECT_TRUE(spec->ipv6 && spec->internal && spec->config_only);
  EXPECT_FALSE(spec->attachable);
  EXPECT_EQ(spec->config_from, "base");
  EXPECT_THAT(spec->options, ElementsAre(Pair("parent", "eth0")));
  EXPECT_THAT(spec->labels, ElementsAre(Pair("a", "b")));
}

TEST(NetworkSpec, WhatCannotBeNamesTheField) {
  const auto refused = [](const std::string& text) {
    return error_of(network_spec(message<Create>(text)));
  };
  EXPECT_THAT(refused("subnets: '10.40.0.1/20'"), StartsWith("subnet: 10.40.0.1/20 has host bits"));
  EXPECT_THAT(refused("gateways: 'x'"), StartsWith("gateway: 'x'"));
  EXPECT_THAT(refused("ranges: '10'"), StartsWith("range: "));
  EXPECT_THAT(refused("reserved { key: 'r' value: '' }"), StartsWith("reserved address[r]: "));
  EXPECT_THAT(refused("scope: 9"), StartsWith("scope is neither"));
  // What the store could not read again must not get into it.
  EXPECT_EQ(refused("labels { value: 'x' }"), "label: an empty key");
  EXPECT_THAT(refused("labels { key: 'a\\nb' }"), HasSubstr("control character"));
  EXPECT_THAT(refused("options { key: 'a' value: '\\000' }"), HasSubstr("NUL"));
  Create many;
  for (int i = 0; i < 257; ++i) many.add_subnets("10.40.0.0/20");
  EXPECT_EQ(error_of(network_spec(many)), "subnet: 257 entries; at most 256 are allowed");
}

TEST(NetworkUpdate, EveryFieldArrives) {
  const auto update = network_update(message<Update>(
      "network: 'app' subnets: '10.41.0.0/20' gateways: '10.41.0.9' ranges: '10.41.1.0/24' "
      "reserved { key: 'r' value: '10.41.0.2' } ipv6: true options { key: 'mtu' value: '' } "
      "labels { key: 'a' value: 'b' } removed_labels: 'c'"));
  ASSERT_TRUE(update.has_value()) << update.error().text();
  EXPECT_EQ(update->network, "app");
  EXPECT_THAT(update->subnets, ElementsAre(*Prefix::parse("10.41.0.0/20")));
  EXPECT_THAT(update->gateways, ElementsAre(*IpAddr::parse("10.41.0.9")));
  EXPECT_THAT(update->ranges, ElementsAre(*Prefix::parse("10.41.1.0/24")));
  EXPECT_THAT(update->reserved, ElementsAre(Pair("r", *IpAddr::parse("10.41.0.2"))));
  EXPECT_TRUE(update->ipv6);
  EXPECT_THAT(update->options, ElementsAre(Pair("mtu", "")));
  EXPECT_THAT(update->labels, ElementsAre(Pair("a", "b")));
  EXPECT_THAT(update->removed_labels, ElementsAre("c"));
}

TEST(ConnectSpec, EveryFieldArrives) {
  const auto spec = connect_spec(message<Connect>(
      "network: 'app' workload: 'docker:web' address: '10.40.0.5' address6: 'fd00::5' "
      "link_local: '169.254.1.1' mac: '02:00:00:00:00:09' interface: 'lan0' aliases: 'www' "
      "service: 'web' ports { port: 80 protocol: 6 } published { host_port: 8080 port: 80 "
      "protocol: 6 } gateway_priority: -4 sysctls { key: 'net.ipv4.conf.IFNAME.rp_filter' "
      "value: '2' } options { key: 'o' value: 'v' } rate_in: 10000000 rate_out: 800000"));
  ASSERT_TRUE(spec.has_value()) << spec.error().text();
  EXPECT_EQ(spec->address, *IpAddr::parse("10.40.0.5"));
  EXPECT_EQ(spec->address6, *IpAddr::parse("fd00::5"));
  EXPECT_THAT(spec->link_local, ElementsAre(*IpAddr::parse("169.254.1.1")));
  EXPECT_EQ(spec->mac, *Mac::parse("02:00:00:00:00:09"));
  EXPECT_EQ(spec->interface, "lan0");
  EXPECT_THAT(spec->aliases, ElementsAre("www"));
  EXPECT_THAT(spec->published, ElementsAre(model::PublishedPort{std::nullopt, 8080, 80}));
  EXPECT_EQ(spec->gateway_priority, -4);
  EXPECT_THAT(spec->sysctls, ElementsAre(Pair("net.ipv4.conf.IFNAME.rp_filter", "2")));
  EXPECT_THAT(spec->options, ElementsAre(Pair("o", "v")));
  EXPECT_EQ(spec->rate_in, 10'000'000u);
  EXPECT_EQ(spec->rate_out, 800'000u);
}

TEST(ConnectSpec, WhatCannotBeNamesTheField) {
  const auto refused = [](const std::string& text) {
    return error_of(connect_spec(message<Connect>(text)));
  };
  EXPECT_THAT(refused("address: '10.40'"), StartsWith("address: "));
  EXPECT_THAT(refused("address6: '10.40.0.1'"), HasSubstr("10.40.0.1 is an IPv4 one"));
  EXPECT_THAT(refused("address: 'fd00::1' address6: 'fd00::2'"), HasSubstr("two IPv6 ones"));
  EXPECT_THAT(refused("mac: '01:00:5e:00:00:01'"), HasSubstr("multicast"));
  EXPECT_THAT(refused("published { port: 0 protocol: 6 }"), StartsWith("published port: port: 0"));
  EXPECT_THAT(refused("published { port: 1 protocol: 7 }"), HasSubstr("protocol: 7"));
  EXPECT_THAT(refused("sysctls { key: 'kernel.panic' value: '1' }"), HasSubstr("kernel.panic"));
  Connect many;
  for (int i = 0; i < 65; ++i) many.add_link_local("169.254.1.1");
  EXPECT_THAT(error_of(connect_spec(many)), StartsWith("link-local address: 65 entries"));
}

TEST(PublishSpec, NeedsAPort) {
  using Publish = api::v1::PublishRequest;
  EXPECT_EQ(error_of(publish_spec(message<Publish>("workload: 'w'"))),
            "no port to publish or to take back is given");
  const auto spec = publish_spec(
      message<Publish>("workload: 'w' network: 'n' add { port: 80 protocol: 6 } "
                       "remove { host_address: '::1' host_port: 8080 port: 80 protocol: 17 }"));
  ASSERT_TRUE(spec.has_value());
  EXPECT_EQ(spec->add.front().host_port, 0);
  EXPECT_EQ(spec->remove.front().host_address, *IpAddr::parse("::1"));
}

model::View published() {
  model::View view;
  view.networks["n1"] = {.id = "n1", .name = "app"};
  view.workloads["w1"] = {.id = "w1", .name = "web"};
  model::Endpoint web{.id = "e1", .network = "n1", .workload = "w1", .workload_name = "web"};
  web.address = *IfAddr::parse("10.40.0.5/20");
  web.published = {{std::nullopt, 8080, 80}};
  view.endpoints["e1"] = web;
  web.id = "e2";
  web.workload = "w2";
  web.workload_name = "db";
  view.endpoints["e2"] = web;
  web.id = "e3";
  web.node = "another";
  view.endpoints["e3"] = web;
  web.id = "e4";
  web.node = "";
  web.published.clear();
  view.endpoints["e4"] = web;
  return view;
}

TEST(Ports, AreThoseOfThisNodeOrOfOneWorkload) {
  const auto view = published();
  api::v1::PortList all;
  fill(view, static_cast<const model::Workload*>(nullptr), all);
  ASSERT_EQ(all.endpoints_size(), 2);
  EXPECT_EQ(all.endpoints(0).workload_name(), "web");
  EXPECT_EQ(all.endpoints(0).network_name(), "app");
  EXPECT_EQ(all.endpoints(0).address(), "10.40.0.5");
  EXPECT_EQ(all.endpoints(0).published(0).host_port(), 8080u);
  EXPECT_EQ(all.endpoints(1).workload_name(), "db");
  api::v1::PortList one;
  fill(view, &view.workloads.at("w1"), one);
  EXPECT_EQ(one.endpoints_size(), 1);
}

TEST(Details, HaveTheUseOfEachSubnet) {
  api::v1::NetworkDetails details;
  fill({{*Prefix::parse("10.40.0.0/20"), 3, 4090, "route to 10.40.1.0/24 by tun0"}}, details);
  ASSERT_EQ(details.subnets_size(), 1);
  EXPECT_EQ(details.subnets(0).ShortDebugString(),
            "prefix: \"10.40.0.0/20\" used: 3 free: 4090 conflict: \"route to 10.40.1.0/24 by "
            "tun0\"");
  fill(std::vector<control::SubnetUse>(), details);
  EXPECT_EQ(details.subnets_size(), 1);
}

}  // namespace
}  // namespace heddle::server
