#include "netd/api/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "netd/api/model.pb.h"

namespace heddle::api {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::chrono::seconds kWhen{1'760'000'000};

model::Network network() {
  return {.id = "00c0ffee00c0ffee",
          .name = "app",
          .driver = "overlay",
          .scope = model::Scope::swarm,
          .subnets = {{*Prefix::parse("10.40.0.0/20"),
                       *IpAddr::parse("10.40.0.1"),
                       *Prefix::parse("10.40.8.0/24"),
                       {{"router", *IpAddr::parse("10.40.0.2")}}},
                      {*Prefix::parse("fd00:40::/64"), *IpAddr::parse("fd00:40::1")}},
          .internal = true,
          .attachable = false,
          .config_only = true,
          .config_from = "base",
          .options = {{"mtu", "1450"}},
          .labels = {{"team", "shop"}, {"com.example/empty", ""}},
          .vni = {4097},
          .created = model::Time(kWhen)};
}

model::Workload workload() {
  return {.id = "0123456789abcdef",
          .name = "web-1",
          .kind = model::WorkloadKind::run,
          .sandbox = "/run/heddle/netns/web-1",
          .sandbox_owner = "812:99812",
          .container = std::string(64, 'c'),
          .container_name = "Web.1",
          .routed = true,
          .routed6 = true,
          .command = {"sh", "-c", "echo 'a\nb'\tc", ""},
          .environment = {{"PATH", "/bin"}, {"MULTI", "one\ntwo"}},
          .directory = "/srv",
          .restart = model::RestartPolicy::always,
          .labels = {{"a", "b"}},
          .created = model::Time(kWhen),
          .state = model::WorkloadState::running,
          .pid = 4123,
          .pid_start = "99999",
          .exit_status = 137,
          .restarts = 3};
}

model::ServicePort port() {
  return {"http", 8080, model::Protocol::tcp, model::AppProtocol::http1};
}

std::vector<model::PublishedPort> published() {
  return {{std::nullopt, 8080, 80, 1, model::PublishedProtocol::tcp},
          {*IpAddr::parse("::1"), 9000, 9000, 1000, model::PublishedProtocol::udp},
          {*IpAddr::parse("192.0.2.1"), 65535, 1, 1, model::PublishedProtocol::sctp}};
}

model::Endpoint endpoint() {
  return {.id = "e1",
          .network = "00c0ffee00c0ffee",
          .workload = "0123456789abcdef",
          .workload_name = "web-1",
          .node = "abcd",
          .address = *IfAddr::parse("10.40.0.5/20"),
          .address6 = *IfAddr::parse("fd00:40::5/64"),
          .link_local = {*IfAddr::parse("169.254.7.7/16"), *IfAddr::parse("fe80::7/64")},
          .mac = *Mac::parse("02:00:0a:28:00:05"),
          .interface = "eth0",
          .aliases = {"www", "shop_1"},
          .service = "web",
          .ports = {port(), {"", 53, model::Protocol::udp, model::AppProtocol::automatic}},
          .published = published(),
          .gateway_priority = -3,
          .sysctls = {{"net.ipv4.conf.IFNAME.rp_filter", "2"}},
          .rate_in = 10'000'000'000,
          .rate_out = 800'000,
          .weight = 7,
          .state = model::EndpointState::draining,
          .created = model::Time(kWhen)};
}

model::Service service() {
  return {.id = "s1",
          .name = "web",
          .network = "00c0ffee00c0ffee",
          .vip = *IpAddr::parse("10.40.0.9"),
          .ports = {port()},
          .declared = true,
          .labels = {{"a", "b"}},
          .created = model::Time(kWhen)};
}

model::Node node() {
  return {.id = "n1",
          .name = "h1.example.org",
          .role = model::NodeRole::manager,
          .address = *IpAddr::parse("192.0.2.1"),
          .api_port = 7000,
          .data_address = *IpAddr::parse("2001:db8::1"),
          .epoch = 0xfedcba9876543210,
          .status = model::NodeStatus::down,
          .joined = model::Time(kWhen),
          .availability = model::Availability::drain,
          .labels = {{"zone", "a"}}};
}

model::LoadBalancer load_balancer() {
  return {.id = "b1",
          .name = "front",
          .network = "00c0ffee00c0ffee",
          .node = "n1",
          .listeners = {{*SocketAddr::parse("0.0.0.0:80"),
                         model::AppProtocol::http1,
                         "web",
                         {{10, "*.example.org", "/api", "api"}, {20, "", "", "web"}}},
                        {*SocketAddr::parse("[::]:443"), model::AppProtocol::tcp, "web", {}}},
          .target_groups = {{"web", "web", 8080, model::LbAlgorithm::round_robin},
                            {"api", "api", 9090, model::LbAlgorithm::least_request}},
          .created = model::Time(kWhen)};
}

model::Swarm swarm() {
  return {"5a5a", 4790, *Prefix::parse("10.32.0.0/11"), 24};
}

template <class T>
void expect_round_trip(const T& value) {
  const auto back = decode<T>(encode(value));
  ASSERT_TRUE(back.has_value()) << back.error().text();
  EXPECT_EQ(*back, value);
  EXPECT_EQ(encode(*back), encode(value));
}

TEST(Codec, EveryTypeComesBackAsItWas) {
  expect_round_trip(network());
  expect_round_trip(workload());
  expect_round_trip(endpoint());
  expect_round_trip(service());
  expect_round_trip(node());
  expect_round_trip(model::AddressBlock{"n", *Prefix::parse("10.40.1.0/28"), "n1"});
  expect_round_trip(model::Sidecar{"0123456789abcdef"});
  expect_round_trip(load_balancer());
  expect_round_trip(swarm());
}

TEST(Codec, EveryEnumValueComesBack) {
  model::Workload w = workload();
  for (int kind = 0; kind <= 5; ++kind) {
    w.kind = static_cast<model::WorkloadKind>(kind);
    w.state = static_cast<model::WorkloadState>(kind % 4);
    w.restart = static_cast<model::RestartPolicy>(kind % 3);
    expect_round_trip(w);
  }
  model::Endpoint e = endpoint();
  for (int state = 0; state <= 3; ++state) {
    e.state = static_cast<model::EndpointState>(state);
    e.ports[0].app = static_cast<model::AppProtocol>(state);
    expect_round_trip(e);
  }
}

TEST(Codec, WhatIsAbsentStaysAbsent) {
  model::Network plain = network();
  plain.subnets = {{*Prefix::parse("10.40.0.0/20"), IpAddr()}};
  plain.attachable = true;
  plain.config_only = false;
  plain.config_from = "";
  expect_round_trip(plain);
  model::Endpoint six = endpoint();
  six.address = *IfAddr::parse("fd00:40::5/64");
  six.address6.reset();
  six.link_local.clear();
  six.published.clear();
  six.sysctls.clear();
  expect_round_trip(six);
}

// Bytes that version 0.1.0 stored before networks could be `attachable`.
TEST(Codec, WhatAnOlderVersionStoredMeansWhatItMeant) {
  const std::string_view old_network(
      "\012\02000c0ffee00c0ffee\022\003app\032\006bridge*\031\012\01410.40.0.0/20"
      "\022\01110.40.0.10\001B\014\012\004team\022\004shopP\200\360\235\307\006",
      80);
  const auto read = decode<model::Network>(old_network);
  ASSERT_TRUE(read.has_value()) << read.error().text();
  EXPECT_EQ(*read, (model::Network{
                       .id = "00c0ffee00c0ffee",
                       .name = "app",
                       .driver = "bridge",
                       .subnets = {{*Prefix::parse("10.40.0.0/20"), *IpAddr::parse("10.40.0.1")}},
                       .internal = true,
                       .attachable = true,
                       .labels = {{"team", "shop"}},
                       .created = model::Time(kWhen)}));
  EXPECT_EQ(encode(*read), old_network) << "and an older version can read it again";

  const std::string_view old_endpoint(
      "\012\002e1\022\002n1\032\002w1\042\005web-12\01410.40.0.5/20:"
      "\02102:00:0a:28:00:05B\004eth0R\003web`\001h\001p\200\360\235\307\006",
      73);
  const auto endpoint_read = decode<model::Endpoint>(old_endpoint);
  ASSERT_TRUE(endpoint_read.has_value()) << endpoint_read.error().text();
  EXPECT_EQ(endpoint_read->address, *IfAddr::parse("10.40.0.5/20"));
  EXPECT_EQ(endpoint_read->address6, std::nullopt);
  EXPECT_TRUE(endpoint_read->published.empty());
  EXPECT_EQ(endpoint_read->rate_in, 0u);
  EXPECT_EQ(encode(*endpoint_read), old_endpoint);

  const std::string_view old_workload(
      "\012\002w1\022\005web-1\030\002\042\016/proc/7/ns/net*\0047:99X"
      "\200\360\235\307\006`\001",
      43);
  const auto workload_read = decode<model::Workload>(old_workload);
  ASSERT_TRUE(workload_read.has_value()) << workload_read.error().text();
  EXPECT_EQ(workload_read->kind, model::WorkloadKind::pid);
  EXPECT_EQ(workload_read->container, "");
  EXPECT_EQ(encode(*workload_read), old_workload);
}

TEST(Codec, WhatToProtoWritesReplacesWhatWasThere) {
  model::v1::Endpoint message;
  to_proto(endpoint(), message);
  to_proto(endpoint(), message);
  EXPECT_EQ(message.ports_size(), 2);
  EXPECT_EQ(message.aliases_size(), 2);
}

// Encodes `value`, spoils it as a message and expects from_proto to name the field.
template <class T, class Message>
void expect_refused(const T& value, void (*spoil)(Message&), const std::string& start) {
  Message message;
  to_proto(value, message);
  spoil(message);
  const auto back = from_proto(message);
  ASSERT_FALSE(back.has_value()) << start;
  EXPECT_EQ(back.error().code(), Errc::invalid);
  EXPECT_THAT(back.error().text(), StartsWith(start));
}

TEST(Codec, ANetworkOutOfRangeIsRefusedByField) {
  using M = model::v1::Network;
  const auto refused = [](void (*spoil)(M&), const char* start) {
    expect_refused<model::Network, M>(network(), spoil, start);
  };
  refused([](M& m) { m.set_id("../../etc"); }, "id: ");
  refused([](M& m) { m.set_name("App Net"); }, "name 'App Net'");
  refused([](M& m) { m.set_name(""); }, "name ''");
  refused(
      [](M& m) {
        m.set_driver("");
        m.set_config_only(false);
      },
      "driver ''");
  refused([](M& m) { m.set_scope(static_cast<model::v1::Scope>(7)); }, "scope: 7");
  refused([](M& m) { m.mutable_subnets(1)->set_prefix("10.0.0.1/8"); }, "subnets[1]: prefix: ");
  refused([](M& m) { m.mutable_subnets(0)->set_gateway("10.0.0"); }, "subnets[0]: gateway: ");
  refused([](M& m) { m.mutable_subnets(0)->set_gateway("10.99.0.1"); },
          "subnets[0]: gateway: 10.99.0.1 is not in 10.40.0.0/20");
  refused([](M& m) { m.set_vni(1 << 24); }, "vni: 16777216 is not within 0 to 16777215");
  refused([](M& m) { m.set_created(-1); }, "created: -1");
  refused([](M& m) { (*m.mutable_labels())[""] = "x"; }, "labels: an empty key");
  refused([](M& m) { (*m.mutable_labels())["a\nb"] = "x"; }, "labels key: contains a control");
  refused([](M& m) { (*m.mutable_options())["x"] = std::string("a\0b", 3); }, "options[x]: ");
  refused(
      [](M& m) {
        for (int i = 0; i < 5000; ++i) m.add_subnets();
      },
      "subnets: 5002 entries");
}

TEST(Codec, ASubnetOutOfRangeIsRefusedByField) {
  using M = model::v1::Network;
  const auto refused = [](void (*spoil)(M&), const char* start) {
    expect_refused<model::Network, M>(network(), spoil, start);
  };
  refused([](M& m) { m.mutable_subnets(0)->set_range("10.40.8.1/24"); }, "subnets[0]: range: ");
  refused([](M& m) { m.mutable_subnets(0)->set_range("10.0.0.0/8"); },
          "subnets[0]: range: 10.0.0.0/8 is not in 10.40.0.0/20");
  refused([](M& m) { m.mutable_subnets(1)->set_range("10.40.8.0/24"); }, "subnets[1]: range: ");
  refused([](M& m) { (*m.mutable_subnets(0)->mutable_reserved())["x"] = "10.40"; },
          "subnets[0]: reserved[x]: '10.40'");
  refused([](M& m) { (*m.mutable_subnets(0)->mutable_reserved())["x"] = "10.41.0.1"; },
          "subnets[0]: reserved[x]: 10.41.0.1 is not in 10.40.0.0/20");
  refused([](M& m) { (*m.mutable_subnets(0)->mutable_reserved())[""] = "10.40.0.9"; },
          "subnets[0]: reserved: an empty key");
  refused(
      [](M& m) {
        for (int i = 0; i < 5000; ++i) {
          (*m.mutable_subnets(0)->mutable_reserved())[std::to_string(i)] = "10.40.0.9";
        }
      },
      "subnets[0]: reserved: 5001 entries");
  refused([](M& m) { m.set_config_from("A B"); }, "config_from 'A B'");
}

TEST(Codec, AConfigurationNeedsNoDriver) {
  model::Network configuration = network();
  configuration.driver = "";
  expect_round_trip(configuration);
  configuration.config_only = false;
  EXPECT_FALSE(decode<model::Network>(encode(configuration)).has_value());
}

TEST(Codec, AWorkloadOutOfRangeIsRefusedByField) {
  using M = model::v1::Workload;
  const auto refused = [](void (*spoil)(M&), const char* start) {
    expect_refused<model::Workload, M>(workload(), spoil, start);
  };
  refused([](M& m) { m.set_name("a\x1b[2J"); }, "name: contains a control");
  refused([](M& m) { m.set_kind(static_cast<model::v1::WorkloadKind>(-1)); }, "kind: -1");
  refused([](M& m) { m.set_sandbox("run/netns"); }, "sandbox: 'run/netns' is not an absolute");
  refused([](M& m) { m.set_directory("srv"); }, "directory: ");
  refused([](M& m) { m.set_command(1, std::string("a\0", 2)); }, "command[1]: contains a NUL");
  refused([](M& m) { m.set_command(1, std::string(200'000, 'x')); }, "command[1]: 200000 bytes");
  refused([](M& m) { m.set_restart(static_cast<model::v1::RestartPolicy>(3)); }, "restart: 3");
  refused([](M& m) { m.set_state(static_cast<model::v1::WorkloadState>(4)); }, "state: 4");
  refused([](M& m) { m.set_pid(-5); }, "pid: -5");
  refused([](M& m) { m.set_container("../x"); }, "container: ");
  refused([](M& m) { m.set_container(std::string(65, 'a')); }, "container: ");
}

TEST(Codec, AnEndpointOutOfRangeIsRefusedByField) {
  using M = model::v1::Endpoint;
  const auto refused = [](void (*spoil)(M&), const char* start) {
    expect_refused<model::Endpoint, M>(endpoint(), spoil, start);
  };
  refused([](M& m) { m.set_network("N"); }, "network: ");
  refused([](M& m) { m.set_address("10.40.0.5"); }, "address: ");
  refused([](M& m) { m.set_address(""); }, "address: ");
  refused([](M& m) { m.set_mac("02:00"); }, "mac: ");
  refused([](M& m) { m.set_mac("01:00:5e:00:00:01"); }, "mac: '01:00:5e:00:00:01' is a multicast");
  refused([](M& m) { m.set_interface("a/b"); }, "interface: ");
  refused([](M& m) { m.set_interface("0123456789abcdef"); }, "interface: 16 bytes");
  refused([](M& m) { m.set_aliases(1, "a.b c"); }, "aliases[1] 'a.b c'");
  refused([](M& m) { m.set_service("UPPER"); }, "service 'UPPER'");
  refused([](M& m) { m.mutable_ports(0)->set_port(0); }, "ports[0]: port: 0");
  refused([](M& m) { m.mutable_ports(0)->set_port(65536); }, "ports[0]: port: 65536");
  refused([](M& m) { m.mutable_ports(1)->set_protocol(1); }, "ports[1]: protocol: 1 is neither");
  refused([](M& m) { m.set_state(static_cast<model::v1::EndpointState>(9)); }, "state: 9");
}

TEST(Codec, AnEndpointsFurtherAddressesAreOfTheirKind) {
  using M = model::v1::Endpoint;
  const auto refused = [](void (*spoil)(M&), const char* start) {
    expect_refused<model::Endpoint, M>(endpoint(), spoil, start);
  };
  refused([](M& m) { m.set_address6("fd00:40::5"); }, "address6: ");
  refused([](M& m) { m.set_address6("10.40.0.6/20"); }, "address6: 10.40.0.6/20 must be an IPv6");
  refused([](M& m) { m.set_address("fd00:40::6/64"); }, "address6: fd00:40::5/64 must be");
  refused([](M& m) { m.set_link_local(0, "10.0.0.1/16"); },
          "link_local[0]: 10.0.0.1/16 is of neither 169.254.0.0/16 nor fe80::/10");
  refused([](M& m) { m.set_link_local(1, "fec0::1/64"); }, "link_local[1]: ");
  refused(
      [](M& m) {
        for (int i = 0; i < 64; ++i) m.add_link_local("fe80::9/64");
      },
      "link_local: 66 entries; at most 64");
}

TEST(Codec, APublishedPortIsAPort) {
  using M = model::v1::PublishedPort;
  const auto refused = [](void (*spoil)(M&), const char* start) {
    expect_refused<model::PublishedPort, M>(published()[1], spoil, start);
  };
  refused([](M& m) { m.set_port(0); }, "port: 0");
  refused([](M& m) { m.set_port(65536); }, "port: 65536");
  refused([](M& m) { m.set_host_port(65536); }, "host_port: 65536");
  refused([](M& m) { m.set_host_port(64537); }, "count: 1000 is not within 1 to 999");
  refused([](M& m) { m.set_port(64537); }, "count: 1000 is not within 1 to 999");
  refused([](M& m) { m.set_count(4'000'000'000); }, "count: 4000000000");
  refused([](M& m) { m.set_protocol(1); }, "protocol: 1 is none of");
  refused([](M& m) { m.set_host_address("localhost"); }, "host_address: ");

  M message;
  to_proto(published()[0], message);
  message.set_count(0);
  EXPECT_EQ(*from_proto(message), published()[0]) << "0 is 1: what a caller leaves out";
  message.set_host_port(0);
  EXPECT_EQ(from_proto(message)->host_port, 0) << "yet to be chosen";
}

TEST(Codec, ASysctlCannotLeaveItsFolder) {
  using M = model::v1::Endpoint;
  const auto refused = [](void (*spoil)(M&), const char* start) {
    expect_refused<model::Endpoint, M>(endpoint(), spoil, start);
  };
  refused([](M& m) { (*m.mutable_sysctls())["kernel.panic"] = "1"; }, "sysctls: 'kernel.panic'");
  refused([](M& m) { (*m.mutable_sysctls())["net./../../x"] = "1"; }, "sysctls: 'net./../../x'");
  refused([](M& m) { (*m.mutable_sysctls())["net...x"] = "1"; }, "sysctls: 'net...x'");
  refused([](M& m) { (*m.mutable_sysctls())["net.x."] = "1"; }, "sysctls: 'net.x.'");
  refused([](M& m) { (*m.mutable_sysctls())["net.x"] = "1\n2"; }, "sysctls[net.x]: contains");
  refused([](M& m) { (*m.mutable_sysctls())["net.x"] = std::string(300, '1'); },
          "sysctls[net.x]: 300 bytes");
  refused(
      [](M& m) {
        for (int i = 0; i < 64; ++i) (*m.mutable_sysctls())["net.x" + std::to_string(i)] = "1";
      },
      "sysctls: 65 entries; at most 64");
}

TEST(Codec, OtherTypesOutOfRangeAreRefusedByField) {
  expect_refused<model::Service, model::v1::Service>(
      service(), [](model::v1::Service& m) { m.set_vip("web"); }, "vip: ");
  expect_refused<model::Node, model::v1::Node>(
      node(), [](model::v1::Node& m) { m.set_api_port(70000); }, "api_port: 70000");
  expect_refused<model::Node, model::v1::Node>(
      node(), [](model::v1::Node& m) { m.set_name(std::string(300, 'h')); }, "name: 300 bytes");
  expect_refused<model::Swarm, model::v1::Swarm>(
      swarm(), [](model::v1::Swarm& m) { m.set_subnet_length(33); }, "subnet_length: 33");
  expect_refused<model::Swarm, model::v1::Swarm>(
      swarm(), [](model::v1::Swarm& m) { m.set_subnet_length(8); }, "subnet_length: 8");
  using M = model::v1::LoadBalancer;
  expect_refused<model::LoadBalancer, M>(
      load_balancer(), [](M& m) { m.mutable_listeners(0)->set_address("0.0.0.0:0"); },
      "listeners[0]: port: address: 0");
  expect_refused<model::LoadBalancer, M>(
      load_balancer(),
      [](M& m) { m.mutable_listeners(0)->mutable_rules(1)->set_path_prefix("api"); },
      "listeners[0]: rules[1]: path_prefix: ");
  expect_refused<model::LoadBalancer, M>(
      load_balancer(), [](M& m) { m.mutable_target_groups(1)->set_service(""); },
      "target_groups[1]: service ''");
}

TEST(Codec, EveryTruncationIsRefusedOrAnotherValueButNeverACrash) {
  const std::string bytes = encode(load_balancer());
  int refused = 0;
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const auto back = decode<model::LoadBalancer>(bytes.substr(0, n));
    if (back) {
      EXPECT_EQ(*decode<model::LoadBalancer>(encode(*back)), *back);
    } else {
      EXPECT_EQ(back.error().code(), Errc::invalid);
      EXPECT_THAT(back.error().text(), StartsWith("LoadBalancer: "));
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(Codec, RandomBytesNeverCrash) {
  std::minstd_rand random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (const auto back = decode<model::Endpoint>(bytes)) {
      EXPECT_EQ(*decode<model::Endpoint>(encode(*back)), *back);
    }
  }
}

TEST(Codec, AnOversizedMessageIsRefusedUnread) {
  const auto back = decode<model::Network>(std::string((1 << 20) + 1, '\n'));
  ASSERT_FALSE(back.has_value());
  EXPECT_THAT(back.error().text(), HasSubstr("at most 1048576"));
}

TEST(Codec, FieldsOfANewerVersionAreIgnored) {
  std::string bytes = encode(network());
  bytes += "\xfa\x3e\x03new";  // field 1007, three bytes
  EXPECT_EQ(*decode<model::Network>(bytes), network());
}

}  // namespace
}  // namespace heddle::api
