#include "netd/control/host_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::control {
namespace {

using testing::ElementsAre;

TEST(ParseRoutes, ReadsWhatTheKernelLists) {
  const auto routes = parse_routes(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
      "tun0\t0000080A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
      "down\t0000090A\t00000000\t0000\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
      "short\t0000\n");
  EXPECT_THAT(routes, ElementsAre(HostRoute{*Prefix::parse("0.0.0.0/0"), "eth0", 100},
                                  HostRoute{*Prefix::parse("10.8.0.0/16"), "tun0", 0}));
}

TEST(ParseRoutes, LeavesOutIPv6RoutesOfAddressesAndLinks) {
  const std::string zero(32, '0');
  const auto line = [&](const std::string& destination, const char* length, const char* flags,
                        const char* device) {
    return destination + " " + length + " " + zero + " 00 " + zero +
           " 00000400 00000001 00000000 " + flags + "     " + device + "\n";
  };
  const auto routes =
      parse_routes6(line("fd000005000000000000000000000000", "30", "00000001", "wg0") +
                    line(zero, "00", "00000003", "eth0") +
                    line("fe800000000000000000000000000000", "40", "00000001", "eth0") +
                    line("ff000000000000000000000000000000", "08", "00000001", "eth0") +
                    line("fd000005000000000000000000000001", "80", "80200001", "wg0") +
                    line(zero, "00", "00200200", "lo") +
                    line("fd00zz05000000000000000000000000", "30", "00000001", "wg0") +
                    line("fd000005000000000000000000000000", "ff", "00000001", "wg0") + "fd00\n");
  EXPECT_THAT(routes, ElementsAre(HostRoute{*Prefix::parse("fd00:5::/48"), "wg0", 1024},
                                  HostRoute{*Prefix::parse("::/0"), "eth0", 1024}));
}

TEST(ParseDeviceNames, ReadsWhatTheKernelLists) {
  EXPECT_THAT(
      parse_device_names(
          "Inter-|   Receive                                                |  Transmit\n"
          " face |bytes    packets errs drop fifo frame compressed multicast|bytes    pack\n"
          "    lo: 9056      95    0    0    0     0          0         0     9056      95\n"
          "hdb0123456789ab:       0       0    0    0    0     0          0         0\n"
          "eth0.50:123456789012 1 0 0"),
      testing::ElementsAre("lo", "hdb0123456789ab", "eth0.50"));
  EXPECT_THAT(parse_device_names(""), testing::IsEmpty());
  EXPECT_THAT(parse_device_names("one\ntwo\nno colon\n : 1\n:\n\n"), testing::IsEmpty());
}

TEST(SurveyHost, ReadsThisHost) {
  const auto survey = survey_host();
  ASSERT_TRUE(survey) << survey.error().text();
  EXPECT_FALSE(survey->devices.contains("lo"));
  EXPECT_GE(survey->egress_mtu, 68u);
}

TEST(ChooseHome, TakesWhatIsUnambiguous) {
  const auto on = [](const char* device, const char* address) {
    return HostAddress{device, {*IpAddr::parse(address), 24}};
  };
  const HostAddress inner = on("eth0", "192.0.2.7");
  const HostAddress outer = on("eth1", "198.51.100.1");
  EXPECT_EQ(choose_home({inner, outer}, "eth0")->address.address.format(), "192.0.2.7");
  EXPECT_EQ(choose_home({outer}, "eth0")->device, "eth1");
  EXPECT_FALSE(choose_home({}, "eth0"));
  // Two of the device itself, or two of a host whose device is not known.
  for (const auto& unclear : {choose_home({inner, on("eth0", "192.0.2.8"), outer}, "eth0"),
                              choose_home({inner, outer}, "")}) {
    ASSERT_FALSE(unclear);
    EXPECT_THAT(unclear.error().text(), testing::HasSubstr("192.0.2.7 (eth0)"));
  }
}

}  // namespace
}  // namespace heddle::control
