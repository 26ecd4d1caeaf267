#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "tests/unit/ctl/cmd/invocation.h"

namespace heddle::cmd {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using Json = boost::json::value;

constexpr const char* kEndpoint =
    "id: 'e1' network: 'n1' workload: 'w1' workload_name: 'web-1' address: '10.40.0.5/20' "
    "mac: '02:00:0a:28:00:05' interface: 'eth0' service: 'web' weight: 1 state: ENDPOINT_READY "
    "ports { port: 8080 protocol: 6 app: APP_HTTP1 }";
constexpr const char* kNetwork =
    "id: '00c0ffee00c0ffee' name: 'app' driver: 'overlay' scope: SCOPE_SWARM "
    "subnets { prefix: '10.40.0.0/20' gateway: '10.40.0.1' } vni: 7";

struct NetworkCommands : testing::Test {
  test::FakeDaemon daemon;

  Invocation run(std::vector<std::string> line) { return invoke(daemon, std::move(line)); }
  Json json(std::vector<std::string> line) {
    line.insert(line.end(), {"--format", "json"});
    return boost::json::parse(run(line).out);
  }
};

TEST_F(NetworkCommands, NetworkCreateAsksForAllThatWasTypedAndPrintsTheId) {
  daemon.reply("CreateNetwork", kNetwork);
  const auto result =
      run({"network", "create", "-d", "overlay", "--subnet", "10.40.0.0/20", "--gateway",
           "10.40.0.1", "--internal", "-o", "mtu=1400", "--label", "a=b=c", "app"});
  EXPECT_EQ(result.status, kDone) << result.err;
  EXPECT_EQ(result.out, "00c0ffee00c0ffee\n");
  EXPECT_EQ(asked(daemon),
            "CreateNetwork name: \"app\" driver: \"overlay\" subnets: \"10.40.0.0/20\" "
            "gateways: \"10.40.0.1\" internal: true options { key: \"mtu\" value: \"1400\" } "
            "labels { key: \"a\" value: \"b=c\" }");
}

TEST_F(NetworkCommands, NetworkLsIsATableOrJson) {
  daemon.reply("ListNetworks", "networks { " + std::string(kNetwork) + " }");
  EXPECT_EQ(run({"network", "ls"}).out,
            "ID                 NAME   DRIVER    SCOPE   SUBNETS\n"
            "00c0ffee00c0ffee   app    overlay   swarm   10.40.0.0/20\n");
  const Json networks = json({"network", "ls"});
  EXPECT_EQ(networks.at(0).at("name"), "app");
  EXPECT_EQ(networks.at(0).at("subnets").at(0).at("gateway"), "10.40.0.1");
  EXPECT_EQ(networks.at(0).at("vni"), 7);
}

TEST_F(NetworkCommands, LsAsksForItsFiltersAndPrintsIdsAlone) {
  daemon.reply("ListNetworks", "networks { " + std::string(kNetwork) + " }");
  const auto result = run(
      {"network", "ls", "-q", "--filter", "driver=overlay", "-f", "label=a=b", "-f", "label=c"});
  EXPECT_EQ(result.out, "00c0ffee00c0ffee\n") << result.err;
  EXPECT_EQ(asked(daemon),
            "ListNetworks filters { key: \"driver\" value: \"overlay\" } filters { key: \"label\" "
            "value: \"a=b\" } filters { key: \"label\" value: \"c\" }");
}

TEST_F(NetworkCommands, CreateAsksForEverySetting) {
  daemon.reply("CreateNetwork", kNetwork);
  const auto result =
      run({"network", "create", "--subnet", "10.40.0.0/20", "--subnet", "fd00::/64", "--ip-range",
           "10.40.8.0/24", "--aux-address", "router=10.40.0.2", "--ipv6", "--ipv4=false",
           "--attachable=false", "--scope", "local", "--config-from", "base", "app"});
  EXPECT_EQ(result.status, kDone) << result.err;
  EXPECT_EQ(asked(daemon),
            "CreateNetwork name: \"app\" subnets: \"10.40.0.0/20\" subnets: \"fd00::/64\" "
            "scope: SCOPE_LOCAL ranges: \"10.40.8.0/24\" reserved { key: \"router\" value: "
            "\"10.40.0.2\" } no_ipv4: true ipv6: true not_attachable: true config_from: \"base\"");
  EXPECT_EQ(run({"network", "create", "--attachable", "--ipv4=true", "--ipv6=false",
                 "--config-only", "app"})
                .status,
            kDone);
  EXPECT_EQ(asked(daemon), "CreateNetwork name: \"app\" config_only: true");
}

constexpr const char* kDetails =
    "network { id: 'n1' name: 'app' driver: 'bridge' subnets { prefix: '10.40.0.0/20' "
    "gateway: '10.40.0.1' range: '10.40.8.0/24' reserved { key: 'router' value: '10.40.0.2' } } "
    "subnets { prefix: 'fd00::/64' gateway: '0.0.0.0' } not_attachable: true config_from: 'base' } "
    "device: 'hdl-br0' "
    "subnets { prefix: '10.40.0.0/20' used: 3 free: 253 conflict: 'route 10.40.1.0/24 by tun0' } "
    "subnets { prefix: 'fd00::/64' used: 2 free: 9223372036854775808 } "
    "endpoint_devices { key: 'e1' value: 'hve1' } "
    "endpoints { id: 'e1' network: 'n1' workload: 'w1' workload_name: 'web-1' "
    "address: '10.40.0.5/20' address6: 'fd00::5/64' mac: '02:00:0a:28:00:05' interface: 'eth0' "
    "service: 'web' weight: 1 state: ENDPOINT_READY ports { port: 8080 protocol: 6 } "
    "published { host_address: '127.0.0.1' host_port: 8080 port: 80 protocol: 6 } }";

TEST_F(NetworkCommands, InspectShowsAddressesInUseConflictsAndWhatIsConnected) {
  daemon.reply("InspectNetwork", kDetails);
  EXPECT_EQ(
      run({"network", "inspect", "app"}).out,
      "Name:         app\n"
      "Id:           n1\n"
      "Driver:       bridge\n"
      "Scope:        local\n"
      "Subnets:      10.40.0.0/20 via 10.40.0.1, range 10.40.8.0/24, 3 used, 253 free\n"
      "              fd00::/64, 2 used, 9223372036854775808 free\n"
      "Reserved:     router=10.40.0.2\n"
      "Conflict:     10.40.0.0/20: route 10.40.1.0/24 by tun0\n"
      "Internal:     no\n"
      "Attachable:   no\n"
      "Config from:  base\n"
      "Device:       hdl-br0\n"
      "Created:      -\n"
      "\n"
      "WORKLOAD   ADDRESS                    MAC                 INTERFACE   DEVICE   SERVICE   "
      "PORTS      PUBLISHED               STATE\n"
      "web-1      10.40.0.5/20, fd00::5/64   02:00:0a:28:00:05   eth0        hve1     web       "
      "8080/tcp   127.0.0.1:8080:80/tcp   ready\n");
  const Json details = json({"network", "inspect", "app"});
  EXPECT_EQ(details.at("subnets").at(0).at("used"), 3);
  EXPECT_EQ(details.at("subnets").at(1).at("free").as_uint64(), std::uint64_t{1} << 63);
  EXPECT_EQ(details.at("endpoints").at(0).at("interface"), "eth0");
  EXPECT_EQ(details.at("endpoints").at(0).at("device"), "hve1");
}

TEST_F(NetworkCommands, InspectOfSeveralIsAListAndGoesOnPastTheMissing) {
  daemon.reply("InspectNetwork", kDetails);
  EXPECT_EQ(json({"network", "inspect", "app", "db"}).as_array().size(), 2u);
  daemon.fail("InspectNetwork", Error(Errc::not_found, "no network 'x'"));
  const auto missing = run({"network", "inspect", "x", "y", "--format", "json"});
  EXPECT_EQ(missing.status, kFailed);
  EXPECT_EQ(missing.out, "[]\n");
  EXPECT_EQ(missing.err, "heddle: no network 'x'\nheddle: no network 'x'\n");
  EXPECT_EQ(run({"network", "inspect", "x", "--format", "json"}).out, "");
}

TEST_F(NetworkCommands, UpdateAsksForWhatChanges) {
  daemon.reply("UpdateNetwork", kNetwork);
  const auto result =
      run({"network", "update", "app", "--add-subnet", "10.41.0.0/20", "--gateway", "10.41.0.9",
           "--ip-range", "10.41.1.0/24", "--aux-address", "r=10.41.0.2", "--ipv6", "--opt",
           "mtu=", "--label-add", "a=b", "--label-rm", "c"});
  EXPECT_EQ(result.out, "app\n") << result.err;
  EXPECT_EQ(asked(daemon),
            "UpdateNetwork network: \"app\" subnets: \"10.41.0.0/20\" gateways: \"10.41.0.9\" "
            "ranges: \"10.41.1.0/24\" reserved { key: \"r\" value: \"10.41.0.2\" } ipv6: true "
            "options { key: \"mtu\" value: \"\" } labels { key: \"a\" value: \"b\" } "
            "removed_labels: \"c\"");
  EXPECT_EQ(run({"network", "update", "app"}).status, kUsage);
  EXPECT_EQ(run({"network", "update", "app", "--label-add", "a=1", "--label-rm", "a"}).status,
            kUsage);
  EXPECT_EQ(daemon.calls().size(), 1u);
}

TEST_F(NetworkCommands, PruneAsksThePersonUnlessForced) {
  daemon.reply("PruneNetworks", "names: 'a' names: 'b'");
  const auto forced =
      run({"network", "prune", "-f", "--filter", "until=24h", "--filter", "label!=keep=yes"});
  EXPECT_EQ(forced.out, "a\nb\n") << forced.err;
  EXPECT_EQ(asked(daemon),
            "PruneNetworks filters { key: \"until\" value: \"24h\" } filters { key: \"label!\" "
            "value: \"keep=yes\" }");
  EXPECT_EQ(json({"network", "prune", "-f"}).at("removed").at(1), "b");
  const auto nobody = run({"network", "prune"});
  EXPECT_EQ(nobody.status, kFailed);
  EXPECT_THAT(nobody.err, EndsWith("heddle: nothing was removed; --force does not ask\n"));
  EXPECT_EQ(invoke(daemon.socket(), {"network", "prune"}, "n\n").status, kFailed);
  EXPECT_EQ(daemon.calls().size(), 2u);
  EXPECT_EQ(invoke(daemon.socket(), {"network", "prune"}, "y\n").out, "a\nb\n");
}

TEST_F(NetworkCommands, RemovingGoesOnPastAFailureAndEndsWith1) {
  daemon.fail("RemoveNetwork", Error(Errc::not_found, "no network 'a'"));
  const auto result = run({"network", "rm", "a", "b"});
  EXPECT_EQ(result.status, kFailed);
  EXPECT_EQ(daemon.calls().size(), 2u);
}

TEST_F(NetworkCommands, ConnectAndDisconnect) {
  daemon.reply("Connect", kEndpoint);
  const auto result = run({"network", "connect", "--ip", "10.40.0.5", "--alias", "www", "--service",
                           "web", "--port", "http=8080/http", "app", "netns:/run/netns/c1"});
  EXPECT_EQ(result.out, "10.40.0.5/20\n") << result.err;
  EXPECT_EQ(asked(daemon),
            "Connect network: \"app\" workload: \"netns:/run/netns/c1\" address: \"10.40.0.5\" "
            "aliases: \"www\" service: \"web\" ports { name: \"http\" port: 8080 protocol: 6 "
            "app: APP_HTTP1 }");
  EXPECT_EQ(run({"network", "disconnect", "app", "pid:7"}).status, kDone);
  EXPECT_EQ(asked(daemon), "Disconnect network: \"app\" workload: \"pid:7\"");
}

TEST_F(NetworkCommands, ConnectAsksForEverySetting) {
  daemon.reply("Connect", std::string(kEndpoint) +
                              " address6: 'fd00::5/64' published { host_port: 8080 port: 80 "
                              "protocol: 6 } published { host_address: '::1' host_port: 40000 "
                              "port: 53 protocol: 17 }");
  const auto result = run({"network",
                           "connect",
                           "--ip",
                           "10.40.0.5",
                           "--ip6",
                           "fd00::5",
                           "--mac-address",
                           "02:00:00:00:00:09",
                           "--link-local-ip",
                           "169.254.1.1",
                           "--ifname",
                           "lan0",
                           "--gw-priority=-5",
                           "--sysctl",
                           "net.ipv4.conf.IFNAME.rp_filter=2",
                           "--driver-opt",
                           "o=v",
                           "--rate-in",
                           "2.5gbit",
                           "--rate-out",
                           "800kbit",
                           "-p",
                           "8080:80",
                           "--publish",
                           "[::1]::53/udp",
                           "app",
                           "docker:web"});
  EXPECT_EQ(result.out, "10.40.0.5/20\nfd00::5/64\n53/udp -> [::1]:40000\n") << result.err;
  EXPECT_EQ(
      asked(daemon),
      "Connect network: \"app\" workload: \"docker:web\" address: \"10.40.0.5\" "
      "interface: \"lan0\" address6: \"fd00::5\" link_local: \"169.254.1.1\" "
      "mac: \"02:00:00:00:00:09\" published { host_port: 8080 port: 80 count: 1 protocol: 6 } "
      "published { host_address: \"::1\" port: 53 count: 1 protocol: 17 } "
      "gateway_priority: -5 sysctls { key: \"net.ipv4.conf.IFNAME.rp_filter\" value: \"2\" } "
      "options { key: \"o\" value: \"v\" } rate_in: 2500000000 rate_out: 800000");
}

// Each names the flag, the value and what is accepted, and nobody is asked.
TEST_F(NetworkCommands, ValuesThatCannotBeAreUsageErrors) {
  const auto refused = [&](std::vector<std::string> line, const std::string& start) {
    line.insert(line.begin(), "network");
    const auto result = run(line);
    EXPECT_EQ(result.status, kUsage) << start;
    EXPECT_THAT(result.err, StartsWith("heddle: " + start));
  };
  const auto create = [&](const std::string& flag, const std::string& value,
                          const std::string& start) {
    refused({"create", flag, value, "a"}, start);
  };
  create("--subnet", "10.40.0.1/20", "--subnet '10.40.0.1/20': ");
  create("--subnet", "ten", "--subnet 'ten': ");
  create("--gateway", "10.40", "--gateway '10.40': '10.40' is not an IP address; it takes an addr");
  create("--ip-range", "10.40.0.0", "--ip-range '10.40.0.0': ");
  create("--aux-address", "10.40.0.2", "--aux-address '10.40.0.2' must be KEY=VALUE");
  create("--aux-address", "r=x", "--aux-address r: 'x' is not an IP address");
  create("--scope", "global", "--scope: scope 'global' is unknown; choose local or swarm");
  refused({"create", "--config-only", "--config-from", "b", "a"},
          "--config-only and --config-from");
  refused({"create", "--ipv4=maybe", "a"}, "--ipv4: 'maybe' must be true or false");
  refused({"ls", "--filter", "driver"}, "--filter 'driver' must be KEY=VALUE");
  refused({"ls", "--filter", "driver="}, "--filter 'driver=' must be KEY=VALUE");
  const auto connect = [&](const std::string& flag, const std::string& value,
                           const std::string& start) {
    refused({"connect", flag, value, "app", "w"}, start);
  };
  connect("--ip", "10.40", "--ip: '10.40' is not an IP address");
  connect("--ip6", "x", "--ip6: 'x' is not an IP address");
  connect("--link-local-ip", "x", "--link-local-ip: 'x' is not an IP address");
  connect("--mac", "02:00", "--mac: '02:00' is not a MAC address such as");
  connect("--mac", "01:00:5e:00:00:01", "--mac '01:00:5e:00:00:01' must be");
  connect("--mac", "00:00:00:00:00:00", "--mac '00:00:00:00:00:00' must be");
  connect("--gw-priority", "high", "--gw-priority 'high' must be a number from -2147483648 to");
  connect("--gw-priority", "2147483648", "--gw-priority '2147483648' must be a number");
  connect("--sysctl", "kernel.panic=1", "--sysctl 'kernel.panic=1' must be of the interface");
  connect("--sysctl", "net.ipv4.ip_forward=1", "--sysctl 'net.ipv4.ip_forward=1' must be");
  connect("--driver-opt", "x", "--driver-opt 'x' must be KEY=VALUE");
  connect("--rate-in", "10mb", "--rate-in '10mb' must be bits a second");
  connect("--rate-out", "0", "--rate-out '0' must be bits a second");
  connect("-p", "8080:0", "--publish '8080:0': port of the workload: '0' must be");
  EXPECT_TRUE(daemon.calls().empty());
}

TEST_F(NetworkCommands, PortsArePublishedAndTakenBack) {
  daemon.reply("Publish", std::string(kEndpoint) +
                              " published { host_port: 8080 port: 80 protocol: 6 } "
                              "published { host_port: 40001 port: 443 protocol: 6 }");
  const auto added = run({"port", "add", "web-1", "--network", "app", "443"});
  EXPECT_THAT(added.out, HasSubstr("443/tcp -> 0.0.0.0:40001\n")) << added.err;
  EXPECT_EQ(asked(daemon),
            "Publish network: \"app\" workload: \"web-1\" add { port: 443 count: 1 protocol: 6 }");
  const auto removed = run({"port", "rm", "web-1", "8080:80", "[::1]:53:53/udp"});
  EXPECT_EQ(removed.status, kDone) << removed.err;
  EXPECT_EQ(asked(daemon),
            "Publish workload: \"web-1\" remove { host_port: 8080 port: 80 count: 1 protocol: 6 } "
            "remove { host_address: \"::1\" host_port: 53 port: 53 count: 1 protocol: 17 }");
  const auto which = run({"port", "rm", "web-1", "80"});
  EXPECT_EQ(which.status, kUsage);
  EXPECT_THAT(which.err, HasSubstr("SPEC '80': say which port of the host, as in 8080:80"));
  EXPECT_EQ(run({"port", "add", "web-1", "0:80"}).status, kUsage);
  EXPECT_EQ(run({"port", "add", "web-1"}).status, kUsage);
  EXPECT_EQ(daemon.calls().size(), 2u);
}

TEST_F(NetworkCommands, PortsAreListedAsDockerDoesOrAsATable) {
  daemon.reply("ListPorts",
               "endpoints { workload_name: 'web-1' network_name: 'app' address: '10.40.0.5' "
               "published { host_port: 8080 port: 80 count: 2 protocol: 6 } published { "
               "host_address: '127.0.0.1' host_port: 53 port: 53 protocol: 17 } }");
  EXPECT_EQ(run({"port", "ls", "web-1"}).out,
            "53/udp -> 127.0.0.1:53\n"
            "80/tcp -> 0.0.0.0:8080\n"
            "80/tcp -> [::]:8080\n"
            "81/tcp -> 0.0.0.0:8081\n"
            "81/tcp -> [::]:8081\n");
  EXPECT_EQ(asked(daemon), "ListPorts workload: \"web-1\"");
  EXPECT_EQ(run({"port", "ls"}).out,
            "WORKLOAD   NETWORK   ADDRESS     PUBLISHED\n"
            "web-1      app       10.40.0.5   8080-8081:80-81/tcp\n"
            "web-1      app       10.40.0.5   127.0.0.1:53:53/udp\n");
  EXPECT_EQ(json({"port", "ls"}).at(0).at("published").at(0).at("count"), 2);
}

}  // namespace
}  // namespace heddle::cmd
