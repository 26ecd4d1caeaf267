#include "dataplane/intent/operation.h"

#include <gtest/gtest.h>

namespace heddle::dataplane {
namespace {

IpAddr ip(const char* text) {
  return IpAddr::parse(text).value();
}

TEST(Describe, IsOneLineInTheWordsOfPeople) {
  Attachment attachment;
  attachment.host_name = "hv1";
  attachment.sandbox = "/run/heddle/netns/c1";
  attachment.name = "eth0";
  attachment.addresses = {IfAddr::parse("10.77.0.5/24").value()};
  attachment.bridge = "hbr0";
  EXPECT_EQ(describe(Ensure<Attachment>{attachment}),
            "attach /run/heddle/netns/c1 as hv1 (eth0, 10.77.0.5/24, bridge hbr0)");
  attachment.bridge.clear();
  attachment.overlay = Vni{4097};
  EXPECT_EQ(describe(Ensure<Attachment>{attachment}),
            "attach /run/heddle/netns/c1 as hv1 (eth0, 10.77.0.5/24, VNI 4097)");
  EXPECT_EQ(describe(RemoveAttachment{"hv1"}), "remove attachment hv1");
  EXPECT_EQ(describe(Ensure<OverlayAddress>{{Vni{7}, ip("10.4.0.5"), {}, "", ip("192.0.2.2")}}),
            "locate 10.4.0.5 of VNI 7 at node 192.0.2.2");
  EXPECT_EQ(describe(Ensure<OverlayAddress>{{Vni{7}, ip("10.4.0.5"), {}, "hv1", {}}}),
            "locate 10.4.0.5 of VNI 7 at hv1");
  EXPECT_EQ(describe(Ensure<ServiceEntry>{{.network = 1,
                                           .vip = ip("10.4.0.200"),
                                           .port = 80,
                                           .backends = {{ip("10.4.0.5"), 8080}}}}),
            "balance 10.4.0.200:80/tcp over 1 backend");
  EXPECT_EQ(describe(RemoveService{{ip("10.4.0.200"), 53, Protocol::udp}}),
            "stop balancing 10.4.0.200:53/udp");
  EXPECT_EQ(describe(SetRules{}), "masquerade nothing");
  EXPECT_EQ(describe(SetRules{{{Prefix::parse("10.4.0.0/16").value(), "br0"}}}),
            "masquerade 10.4.0.0/16");
  EXPECT_EQ(describe(RestorePins{{"heddle_node_v1", "hooks/connect4"}}),
            "pin again heddle_node_v1 hooks/connect4");
  EXPECT_EQ(describe(SetSysctl{"net/ipv4/ip_forward", "1"}), "set sysctl net/ipv4/ip_forward to 1");
}

}  // namespace
}  // namespace heddle::dataplane
