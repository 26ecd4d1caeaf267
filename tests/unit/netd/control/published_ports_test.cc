#include "netd/control/published_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::control {
namespace {

using model::PublishedPort;
using model::PublishedProtocol;
using testing::HasSubstr;

IpAddr ip(const char* text) {
  return *IpAddr::parse(text);
}
PublishedPort port(std::uint16_t host, std::uint16_t inside, std::uint16_t count = 1) {
  return {std::nullopt, host, inside, count, PublishedProtocol::tcp};
}
PublishedPort at(const char* address, PublishedPort port) {
  port.host_address = ip(address);
  return port;
}
model::Endpoint endpoint(const char* address, const char* address6 = nullptr) {
  model::Endpoint it;
  it.id = "e1";
  it.workload_name = "c1";
  it.address = {ip(address), 24};
  if (address6 != nullptr) it.address6 = IfAddr{ip(address6), 64};
  return it;
}

TEST(Overlap, IsOfProtocolAddressAndRange) {
  EXPECT_TRUE(overlap(port(80, 1), port(80, 2)));
  EXPECT_FALSE(overlap(port(80, 1), port(81, 1)));
  EXPECT_TRUE(overlap(port(80, 1, 10), port(89, 1)));
  EXPECT_FALSE(overlap(port(80, 1, 10), port(90, 1)));
  EXPECT_FALSE(overlap(port(79, 1), port(80, 1, 10)));
  PublishedPort udp = port(80, 1);
  udp.protocol = PublishedProtocol::udp;
  EXPECT_FALSE(overlap(udp, port(80, 1)));
  EXPECT_TRUE(overlap(at("127.0.0.1", port(80, 1)), port(80, 1)));
  EXPECT_TRUE(overlap(at("127.0.0.1", port(80, 1)), at("0.0.0.0", port(80, 1))));
  EXPECT_FALSE(overlap(at("127.0.0.1", port(80, 1)), at("192.0.2.1", port(80, 1))));
  EXPECT_FALSE(overlap(at("0.0.0.0", port(80, 1)), at("::", port(80, 1))));
  EXPECT_FALSE(overlap(port(0, 1), port(0, 1))) << "not chosen yet";
  EXPECT_FALSE(overlap(port(65535, 1), port(65534, 1)));
}

TEST(HostAddresses, AreOfTheFamiliesThatTheEndpointHas) {
  EXPECT_EQ(host_addresses_of(port(80, 1), endpoint("10.0.0.2")).size(), 1u);
  EXPECT_EQ(host_addresses_of(port(80, 1), endpoint("10.0.0.2", "fd00::2")).size(), 2u);
  EXPECT_EQ(host_addresses_of(port(80, 1), endpoint("fd00::2")).front(), ip("::"));
  EXPECT_EQ(host_addresses_of(at("127.0.0.1", port(80, 1)), endpoint("10.0.0.2")).front(),
            ip("127.0.0.1"));
}

TEST(CheckPorts, NamesWhatIsWrong) {
  const auto said = [](const PublishedPorts& ports, const char* address = "10.0.0.2") {
    const auto checked = check_ports(ports, endpoint(address));
    return checked ? std::string("fine") : checked.error().text();
  };
  EXPECT_EQ(said({port(8080, 80), port(0, 80), port(65535, 65535)}), "fine");
  EXPECT_EQ(said({port(8080, 0)}),
            "published port 8080->?/tcp: the workload's port must be from 1 to 65535");
  EXPECT_THAT(said({port(8080, 80, 0)}), HasSubstr("no port"));
  EXPECT_THAT(said({port(65530, 80, 7)}), HasSubstr("the host's ports end after 65535"));
  EXPECT_EQ(said({port(65530, 80, 6)}), "fine");
  EXPECT_THAT(said({port(80, 65530, 7)}), HasSubstr("the workload's ports end after 65535"));
  EXPECT_EQ(said({port(8080, 80, 10), at("127.0.0.1", port(8085, 1))}),
            "published ports 8080-8089->80-89/tcp and 127.0.0.1:8085->1/tcp take the same port of "
            "the host");
  EXPECT_THAT(said({at("::1", port(8080, 80))}), HasSubstr("no IPv6 address"));
  EXPECT_THAT(said({at("127.0.0.1", port(8080, 80))}, "fd00::2"), HasSubstr("no IPv4 address"));
}

TEST(CheckUnpublished, NamesWhoHasThePort) {
  model::Endpoint other = endpoint("10.0.0.3");
  other.id = "e2";
  other.workload_name = "c2";
  other.published = {port(8080, 80, 10)};
  model::Table<model::Endpoint> all;
  all["e2"] = other;
  const auto refused = check_unpublished(port(8089, 80), "e1", all);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::in_use);
  EXPECT_THAT(refused.error().text(), HasSubstr("'c2' has 8080-8089->80-89/tcp"));
  EXPECT_TRUE(check_unpublished(port(8090, 80), "e1", all));
  EXPECT_TRUE(check_unpublished(port(8089, 80), "e2", all)) << "its own";
}

TEST(Without, TakesExactlyWhatIsNamed) {
  const PublishedPorts all{port(8080, 80), port(8081, 81), port(8082, 81)};
  EXPECT_EQ(*without(all, {port(8080, 80)}), (PublishedPorts{port(8081, 81), port(8082, 81)}));
  EXPECT_EQ(*without(all, {port(0, 81)}), (PublishedPorts{port(8080, 80), port(8082, 81)}))
      << "whichever leads to 81";
  const auto absent = without(all, {port(8080, 80), port(8080, 81)});
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code(), Errc::not_found);
  EXPECT_EQ(absent.error().text(),
            "port 8080->81/tcp is not published; published is: 8081->81/tcp, 8082->81/tcp");
}

}  // namespace
}  // namespace heddle::control
