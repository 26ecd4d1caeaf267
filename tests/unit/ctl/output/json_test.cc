#include "ctl/output/json.h"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include <sstream>

#include "ctl/output/words.h"

namespace heddle::output {
namespace {

std::string printed(const Json& json) {
  std::ostringstream out;
  print(out, json);
  return out.str();
}

TEST(Json, IsIndentedInOrderAndParsesBack) {
  const model::ServicePort port{"http", 8080, model::Protocol::tcp, model::AppProtocol::http1};
  EXPECT_EQ(printed(to_json(port)),
            "{\n"
            "  \"name\": \"http\",\n"
            "  \"port\": 8080,\n"
            "  \"protocol\": \"tcp\",\n"
            "  \"app\": \"http1\"\n"
            "}\n");
  EXPECT_EQ(boost::json::parse(printed(to_json(port))), to_json(port));
}

TEST(Json, EmptyListsAndHostileTextStayJson) {
  EXPECT_EQ(printed(to_json(std::vector<model::ServicePort>{})), "[]\n");
  client::Verified verified;
  verified.differences = {"link \"a\"\n\x1b is gone"};
  EXPECT_EQ(boost::json::parse(printed(to_json(verified))), to_json(verified));
  EXPECT_EQ(printed(to_json(verified)).find('\x1b'), std::string::npos);
}

TEST(Json, ServiceDetailsHaveTheirBackends) {
  client::ServiceDetails details;
  details.service.name = "web";
  details.network_name = "app";
  details.backends.push_back({model::Endpoint{}, "h1", true});
  const Json json = to_json(details);
  EXPECT_EQ(json.at("name"), "web");
  EXPECT_EQ(json.at("network_name"), "app");
  EXPECT_EQ(json.at("backends").at(0).at("node_name"), "h1");
  EXPECT_EQ(json.at("backends").at(0).at("reachable"), true);
  EXPECT_EQ(json.at("backends").at(0).at("state"), "starting");
}

// Keys are a promise: this text only ever grows.
TEST(Json, ANetworkInFull) {
  client::NetworkDetails details;
  details.network = {.id = "00c0ffee00c0ffee",
                     .name = "app",
                     .driver = "bridge",
                     .subnets = {{*Prefix::parse("10.40.0.0/20"),
                                  *IpAddr::parse("10.40.0.1"),
                                  *Prefix::parse("10.40.8.0/24"),
                                  {{"router", *IpAddr::parse("10.40.0.2")}}},
                                 {*Prefix::parse("fd00::/64"), *IpAddr::parse("fd00::1")}},
                     .attachable = false,
                     .config_from = "base",
                     .options = {{"mtu", "1400"}},
                     .labels = {{"team", "shop"}},
                     .created = model::Time(std::chrono::seconds(1'760'000'000))};
  details.device = "hdl-br0";
  details.subnets = {{*Prefix::parse("10.40.0.0/20"), 3, 253, "route 10.40.1.0/24 by tun0"}};
  EXPECT_EQ(printed(to_json(details)), R"({
  "id": "00c0ffee00c0ffee",
  "name": "app",
  "driver": "bridge",
  "scope": "local",
  "subnets": [
    {
      "prefix": "10.40.0.0/20",
      "gateway": "10.40.0.1",
      "range": "10.40.8.0/24",
      "reserved": {
        "router": "10.40.0.2"
      },
      "used": 3,
      "free": 253,
      "conflict": "route 10.40.1.0/24 by tun0"
    },
    {
      "prefix": "fd00::/64",
      "gateway": "fd00::1",
      "range": "",
      "reserved": {}
    }
  ],
  "internal": false,
  "options": {
    "mtu": "1400"
  },
  "labels": {
    "team": "shop"
  },
  "vni": 0,
  "created": "2025-10-09T08:53:20Z",
  "attachable": false,
  "config_only": false,
  "config_from": "base",
  "device": "hdl-br0",
  "endpoints": []
}
)");
}

TEST(Json, AnEndpointInFull) {
  model::Endpoint endpoint;
  endpoint.id = "e1";
  endpoint.network = "n1";
  endpoint.workload = "w1";
  endpoint.workload_name = "web";
  endpoint.address = *IfAddr::parse("10.40.0.5/20");
  endpoint.address6 = *IfAddr::parse("fd00::5/64");
  endpoint.link_local = {*IfAddr::parse("169.254.1.1/16")};
  endpoint.mac = *Mac::parse("02:00:00:00:00:09");
  endpoint.interface = "eth0";
  endpoint.published = {{*IpAddr::parse("::1"), 8080, 80, 2, model::PublishedProtocol::sctp}};
  endpoint.gateway_priority = -5;
  endpoint.sysctls = {{"net.ipv4.conf.IFNAME.rp_filter", "2"}};
  endpoint.rate_in = 10'000'000;
  endpoint.state = model::EndpointState::ready;
  EXPECT_EQ(printed(to_json(endpoint)), R"({
  "id": "e1",
  "network": "n1",
  "workload": "w1",
  "workload_name": "web",
  "node": "",
  "address": "10.40.0.5/20",
  "mac": "02:00:00:00:00:09",
  "interface": "eth0",
  "aliases": [],
  "service": "",
  "ports": [],
  "weight": 1,
  "state": "ready",
  "created": "",
  "address6": "fd00::5/64",
  "link_local": [
    "169.254.1.1/16"
  ],
  "published": [
    {
      "host_address": "::1",
      "host_port": 8080,
      "port": 80,
      "count": 2,
      "protocol": "sctp"
    }
  ],
  "gateway_priority": -5,
  "sysctls": {
    "net.ipv4.conf.IFNAME.rp_filter": "2"
  },
  "rate_in": 10000000,
  "rate_out": 0
}
)");
}

TEST(Json, AWorkloadInFull) {
  const model::Workload workload{.id = "w1",
                                 .name = "web",
                                 .kind = model::WorkloadKind::docker,
                                 .sandbox = "/var/run/docker/netns/1",
                                 .container = "feedc0de",
                                 .container_name = "Web",
                                 .state = model::WorkloadState::running,
                                 .pid = 7};
  EXPECT_EQ(printed(to_json(workload)), R"({
  "id": "w1",
  "name": "web",
  "kind": "docker",
  "state": "running",
  "pid": 7,
  "sandbox": "/var/run/docker/netns/1",
  "command": [],
  "environment": {},
  "directory": "",
  "restart": "no",
  "restarts": 0,
  "exit_status": 0,
  "labels": {},
  "created": "",
  "container": "feedc0de",
  "container_name": "Web"
}
)");
}

TEST(Json, PublishedPortsOfAnEndpoint) {
  const client::EndpointPorts ports{
      .workload_name = "web",
      .network_name = "app",
      .address = *IpAddr::parse("10.40.0.5"),
      .published = {{std::nullopt, 8080, 80, 1, model::PublishedProtocol::udp}}};
  EXPECT_EQ(printed(to_json(std::vector{ports})), R"([
  {
    "workload_name": "web",
    "network_name": "app",
    "address": "10.40.0.5",
    "published": [
      {
        "host_address": "",
        "host_port": 8080,
        "port": 80,
        "count": 1,
        "protocol": "udp"
      }
    ]
  }
])"
                                                  "\n");
}

TEST(Words, TimesAreUtc) {
  EXPECT_EQ(format(model::Time(std::chrono::seconds(1'760'000'000))), "2025-10-09T08:53:20Z");
  EXPECT_EQ(format(model::Time{}), "");
}

TEST(Words, APortReadsAsItIsTyped) {
  EXPECT_EQ(
      format(model::ServicePort{"dns", 53, model::Protocol::udp, model::AppProtocol::automatic}),
      "dns=53/udp");
  EXPECT_EQ(format(model::ServicePort{"", 80, model::Protocol::tcp, model::AppProtocol::http2}),
            "80/tcp/http2");
}

}  // namespace
}  // namespace heddle::output
