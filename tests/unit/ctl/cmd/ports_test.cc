#include "ctl/cmd/ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::cmd {
namespace {

using model::AppProtocol;
using model::Protocol;
using model::ServicePort;

ServicePort one(const std::string& text) {
  return parse_ports({text})->front();
}

TEST(Ports, EveryForm) {
  EXPECT_EQ(one("8080"), (ServicePort{"", 8080, Protocol::tcp, AppProtocol::automatic}));
  EXPECT_EQ(one("53/udp"), (ServicePort{"", 53, Protocol::udp, AppProtocol::automatic}));
  EXPECT_EQ(one("80/http"), (ServicePort{"", 80, Protocol::tcp, AppProtocol::http1}));
  EXPECT_EQ(one("80/tcp/http2"), (ServicePort{"", 80, Protocol::tcp, AppProtocol::http2}));
  EXPECT_EQ(one("pg=5432/opaque"), (ServicePort{"pg", 5432, Protocol::tcp, AppProtocol::tcp}));
}

TEST(Ports, WhatCannotBeIsRefused) {
  for (const char* bad :
       {"", "0", "65536", "80/", "80/sctp", "web", "-1", "8 0", "=80", "A=80", "53/udp/http"}) {
    EXPECT_FALSE(parse_ports({bad}).has_value()) << bad;
  }
  EXPECT_FALSE(parse_ports({"80", "80/http"}).has_value());
  EXPECT_TRUE(parse_ports({"53/tcp", "53/udp"}).has_value());
}

}  // namespace
}  // namespace heddle::cmd
