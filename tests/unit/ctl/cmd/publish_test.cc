#include "ctl/cmd/publish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/output/words.h"

namespace heddle::cmd {
namespace {

using model::PublishedPort;
using model::PublishedProtocol;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

std::vector<PublishedPort> read(const std::string& text) {
  const auto ports = parse_publish("--publish", text);
  EXPECT_TRUE(ports.has_value()) << text << ": " << ports.error().text();
  return ports.value_or(std::vector<PublishedPort>());
}

std::string refused(const std::string& text) {
  const auto ports = parse_publish("--publish", text);
  if (ports) return "accepted";
  EXPECT_EQ(ports.error().code(), Errc::invalid);
  EXPECT_THAT(ports.error().text(), StartsWith("--publish '" + text + "': "));
  return ports.error().text().substr(text.size() + 14);
}

PublishedPort port(const char* address, std::uint16_t host, std::uint16_t to,
                   std::uint16_t count = 1, PublishedProtocol protocol = PublishedProtocol::tcp) {
  PublishedPort made{std::nullopt, host, to, count, protocol};
  if (*address != '\0') made.host_address = *IpAddr::parse(address);
  return made;
}

TEST(Publish, EveryFormOfDocker) {
  EXPECT_THAT(read("8080:80"), ElementsAre(port("", 8080, 80)));
  EXPECT_THAT(read("127.0.0.1:8080:80"), ElementsAre(port("127.0.0.1", 8080, 80)));
  EXPECT_THAT(read("0.0.0.0:8080:80"), ElementsAre(port("0.0.0.0", 8080, 80)));
  EXPECT_THAT(read("[::1]:80:80"), ElementsAre(port("::1", 80, 80)));
  EXPECT_THAT(read("[::]:80:80"), ElementsAre(port("::", 80, 80)));
  EXPECT_THAT(read("53:53/udp"), ElementsAre(port("", 53, 53, 1, PublishedProtocol::udp)));
  EXPECT_THAT(read("53:53/SCTP"), ElementsAre(port("", 53, 53, 1, PublishedProtocol::sctp)));
  EXPECT_THAT(read("53:53/tcp"), ElementsAre(port("", 53, 53)));
  EXPECT_THAT(read("[2001:db8::1]:9000-9010:8000-8010/udp"),
              ElementsAre(port("2001:db8::1", 9000, 8000, 11, PublishedProtocol::udp)));
}

TEST(Publish, WithoutAPortOfTheHostOneIsLeftToTheDaemonForEach) {
  EXPECT_THAT(read("80"), ElementsAre(port("", 0, 80)));
  EXPECT_THAT(read("80/udp"), ElementsAre(port("", 0, 80, 1, PublishedProtocol::udp)));
  EXPECT_THAT(read(":80"), ElementsAre(port("", 0, 80)));
  EXPECT_THAT(read("127.0.0.1::80"), ElementsAre(port("127.0.0.1", 0, 80)));
  EXPECT_THAT(read("[::1]::80"), ElementsAre(port("::1", 0, 80)));
  EXPECT_THAT(read("80-82"), ElementsAre(port("", 0, 80), port("", 0, 81), port("", 0, 82)));
}

TEST(Publish, TheEndsOfTheRangeOfPortsArePorts) {
  EXPECT_THAT(read("1:65535"), ElementsAre(port("", 1, 65535)));
  EXPECT_THAT(read("65535:1"), ElementsAre(port("", 65535, 1)));
  EXPECT_THAT(read("1-65535:1-65535"), ElementsAre(port("", 1, 1, 65535)));
  EXPECT_THAT(read("80-80:81-81"), ElementsAre(port("", 80, 81)));
}

TEST(Publish, WhatIsNoPortSaysWhichAndWhatIs) {
  EXPECT_EQ(refused("0"), "port of the workload: '0' must be a port from 1 to 65535");
  EXPECT_EQ(refused("8080:0"), "port of the workload: '0' must be a port from 1 to 65535");
  EXPECT_EQ(refused("0:80"), "port of the host: '0' must be a port from 1 to 65535");
  EXPECT_EQ(refused("65536:80"), "port of the host: '65536' must be a port from 1 to 65535");
  EXPECT_EQ(refused("80:65536"), "port of the workload: '65536' must be a port from 1 to 65535");
  EXPECT_EQ(refused("99999999999:80"),
            "port of the host: '99999999999' must be a port from 1 to 65535");
  for (const char* bad : {"x", "8x:80", "80:x", "-1:80", "+80:80", " 80:80", "80:80 ", "80-:80-",
                          "-80:80", "80-90-100:80", "0x50:80", "8.0:80"}) {
    EXPECT_THAT(refused(bad), HasSubstr("must be a port from 1 to 65535")) << bad;
  }
}

TEST(Publish, RangesRunForwardsAndAreOfOneLength) {
  EXPECT_EQ(refused("90-80:90-80"),
            "port of the workload: the range 90-80 runs backwards; write 80-90");
  EXPECT_EQ(refused("90-80:80-90"),
            "port of the host: the range 90-80 runs backwards; write 80-90");
  EXPECT_EQ(refused("8000-8010:80"), "the ranges 8000-8010 and 80 differ in length: 11 and 1");
  EXPECT_EQ(refused("80:8000-8001"), "the ranges 80 and 8000-8001 differ in length: 1 and 2");
}

TEST(Publish, WhatIsMissingOrTooMuchIsSaid) {
  EXPECT_THAT(refused(""), StartsWith("the workload's port is missing"));
  EXPECT_THAT(refused("8080:"), StartsWith("the workload's port is missing"));
  EXPECT_THAT(refused("127.0.0.1:8080:"), StartsWith("the workload's port is missing"));
  EXPECT_THAT(refused("/tcp"), StartsWith("the workload's port is missing"));
  EXPECT_EQ(refused("80/"), "no protocol after '/'; choose tcp, udp or sctp");
  EXPECT_EQ(refused("80/icmp"), "protocol 'icmp' is unknown; choose tcp, udp or sctp");
  EXPECT_EQ(refused("80/tcp/udp"), "protocol 'tcp/udp' is unknown; choose tcp, udp or sctp");
  EXPECT_EQ(refused("::8080:80"), "there are too many colons; an IPv6 address stands in brackets");
  EXPECT_EQ(refused("::80"), "the address is missing");
  EXPECT_EQ(refused("127.0.0.1:80"),
            "no port of the host beside its address; write 127.0.0.1::80 to have one chosen");
}

TEST(Publish, AddressesOfTheHostAreAddresses) {
  EXPECT_EQ(refused("localhost:80:80"), "address of the host: 'localhost' is not an IP address");
  EXPECT_EQ(refused("10.0.0:80:80"), "address of the host: '10.0.0' is not an IP address");
  EXPECT_THAT(refused("[::1]80:80"), StartsWith("after an address in brackets"));
  EXPECT_THAT(refused("[::1"), StartsWith("after an address in brackets"));
  EXPECT_THAT(refused("[::1]:80"), StartsWith("after the address must come"));
  EXPECT_THAT(refused("[::1]:1:2:3"), StartsWith("after the address must come"));
  EXPECT_EQ(refused("[127.0.0.1]:80:80"), "'127.0.0.1' in brackets is no IPv6 address");
  EXPECT_EQ(refused("[fe80::1%eth0]:80:80"),
            "address of the host: 'fe80::1%eth0' is not an IP address");
  EXPECT_THAT(refused("224.0.0.1:80:80"), HasSubstr("multicast"));
}

TEST(Publish, ALongListIsBounded) {
  EXPECT_THAT(*parse_publish("--publish", std::vector<std::string>{"80", "1-65535:1-65535"}),
              SizeIs(2));
  const auto many = parse_publish("--publish", std::vector<std::string>{"1-4096", "5000"});
  ASSERT_FALSE(many.has_value());
  EXPECT_THAT(many.error().text(), HasSubstr("more than 4096 ports"));
}

TEST(Publish, WhatIsPrintedIsReadAgain) {
  for (const char* text : {"8080:80/tcp", "127.0.0.1:8080:80/udp", "[::1]:9000-9010:80-90/sctp",
                           "80/tcp", "[::1]::80/tcp"}) {
    EXPECT_EQ(output::format(read(text).front()), text);
  }
}

}  // namespace
}  // namespace heddle::cmd
