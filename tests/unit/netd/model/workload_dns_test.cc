#include "netd/model/workload_dns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::model {
namespace {

using testing::HasSubstr;

TEST(WorkloadDns, IsReadAsItWasWritten) {
  const WorkloadDns dns{{*IpAddr::parse("192.0.2.53"), *IpAddr::parse("2001:db8::53")},
                        {"corp.example", "b.example"},
                        {"ndots:2", "edns0"}};
  Labels labels{{"other", "label"}};
  put_dns(dns, labels);
  EXPECT_EQ(labels.at("heddle.dns.servers"), "192.0.2.53 2001:db8::53");
  EXPECT_EQ(labels.size(), 4u);
  EXPECT_EQ(*dns_of(labels), dns);
}

TEST(WorkloadDns, NothingIsNoLabel) {
  Labels labels;
  put_dns({}, labels);
  EXPECT_TRUE(labels.empty());
  EXPECT_EQ(*dns_of(labels), WorkloadDns());
  EXPECT_EQ(*dns_of({{"heddle.dns.search", "  "}}), WorkloadDns());
}

TEST(WorkloadDns, WhatIsNoServerOrNoWordIsRefusedByItsLabel) {
  const std::pair<const char*, const char*> bad[] = {{"heddle.dns.servers", "ns.example"},
                                                     {"heddle.dns.servers", "127.0.0.11"},
                                                     {"heddle.dns.servers", "0.0.0.0"},
                                                     {"heddle.dns.servers", "192.0.2.53 ::"},
                                                     {"heddle.dns.servers", "192.0.2.53:53"},
                                                     {"heddle.dns.search", "a#b"},
                                                     {"heddle.dns.search", "a;b"},
                                                     {"heddle.dns.search", "caf\xc3\xa9.example"},
                                                     {"heddle.dns.options", "ndots:2 \x01"}};
  for (const auto& [label, value] : bad) {
    const auto dns = dns_of({{label, value}});
    ASSERT_FALSE(dns) << value;
    EXPECT_EQ(dns.error().code(), Errc::invalid);
    EXPECT_THAT(dns.error().text(), HasSubstr(label)) << value;
  }
  std::string many;
  for (int i = 0; i < 33; ++i) many += "a.example ";
  EXPECT_FALSE(dns_of({{"heddle.dns.search", many}}));
}

// A label would take the first for two words, and the second for none.
TEST(WorkloadDns, BlanksAndNothingAreNoWords) {
  EXPECT_FALSE(check_dns_words({"a.example b.example"}));
  EXPECT_FALSE(check_dns_words({""}));
  EXPECT_FALSE(parse_dns_servers({"192.0.2.53 192.0.2.54"}));
  EXPECT_TRUE(check_dns_words({std::string(253, 'a')}));
  EXPECT_FALSE(check_dns_words({std::string(254, 'a')}));
}

}  // namespace
}  // namespace heddle::model
