#include "ctl/cmd/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "tests/unit/ctl/cmd/invocation.h"

namespace heddle::cmd {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using Json = boost::json::value;

constexpr const char* kEndpoint =
    "id: 'e1' network: 'n1' workload: 'w1' workload_name: 'web-1' address: '10.40.0.5/20' "
    "mac: '02:00:0a:28:00:05' interface: 'eth0' service: 'web' weight: 1 state: ENDPOINT_READY "
    "ports { port: 8080 protocol: 6 app: APP_HTTP1 }";
constexpr const char* kNode =
    "id: 'd00d000000000000' name: 'h1' role: NODE_MANAGER address: '192.0.2.1' api_port: 7373 "
    "data_address: '192.0.2.1' status: NODE_READY";
constexpr const char* kBalancer =
    "load_balancer { id: 'b1' name: 'front' network: 'n1' listeners { address: '0.0.0.0:80' "
    "protocol: APP_HTTP1 default_target_group: 'web' rules { priority: 10 path_prefix: '/api' "
    "target_group: 'api' } } target_groups { name: 'web' service: 'web' port: 8080 } } "
    "state: 'ready' pid: 77 network_name: 'app'";

struct Commands : testing::Test {
  test::FakeDaemon daemon;

  Invocation run(std::vector<std::string> line) { return invoke(daemon, std::move(line)); }
  Json json(std::vector<std::string> line) {
    line.insert(line.end(), {"--format", "json"});
    return boost::json::parse(run(line).out);
  }
};

TEST_F(Commands, RunTakesItsCommandAsItIs) {
  daemon.reply("Run",
               "workload { id: 'w1' name: 'web-1' } endpoints { " + std::string(kEndpoint) + " }");
  const auto result =
      run({"run",       "--name", "web-1",  "--network", "app",         "--network", "db",
           "--service", "web",    "--port", "8080",      "--restart",   "always",    "-e",
           "A=b c",     "--",     "nginx",  "-g",        "daemon off;", "--",        "--format"});
  EXPECT_EQ(result.out, "web-1\n") << result.err;
  EXPECT_EQ(asked(daemon),
            "Run name: \"web-1\" command: \"nginx\" command: \"-g\" command: \"daemon off;\" "
            "command: \"--\" command: \"--format\" environment { key: \"A\" value: \"b c\" } "
            "restart: RESTART_ALWAYS networks { network: \"app\" service: \"web\" ports { "
            "port: 8080 protocol: 6 } } networks { network: \"db\" }");
}

TEST_F(Commands, RunTakesWhatTheWorkloadHasOfDns) {
  daemon.reply("Run", "workload { id: 'w1' name: 'web-1' }");
  const auto result = run({"run", "--dns", "192.0.2.53", "--dns", "2001:db8::53", "--dns-search",
                           "corp.example", "--dns-option", "ndots:2", "--", "true"});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(asked(daemon),
            "Run command: \"true\" labels { key: \"heddle.dns.options\" value: \"ndots:2\" } "
            "labels { key: \"heddle.dns.search\" value: \"corp.example\" } "
            "labels { key: \"heddle.dns.servers\" value: \"192.0.2.53 2001:db8::53\" }");
}

TEST_F(Commands, RunConnectsItsFirstNetworkAsItsFlagsSay) {
  daemon.reply("Run", "workload { id: 'w1' name: 'web-1' } endpoints { " + std::string(kEndpoint) +
                          " published { host_port: 8080 port: 80 protocol: 6 } "
                          "published { host_port: 49153 port: 443 protocol: 6 } }");
  const auto result = run({"run",
                           "--network",
                           "app",
                           "--network",
                           "db",
                           "--ip",
                           "10.40.0.9",
                           "--ip6",
                           "fd00::9",
                           "--mac",
                           "02:00:00:00:00:09",
                           "-p",
                           "8080:80",
                           "-p",
                           "443",
                           "--gw-priority",
                           "7",
                           "--sysctl",
                           "net.ipv4.conf.IFNAME.rp_filter=2",
                           "--rate-in",
                           "10mbit",
                           "--",
                           "nginx"});
  EXPECT_EQ(result.out, "web-1\n443/tcp -> 0.0.0.0:49153\n443/tcp -> [::]:49153\n") << result.err;
  EXPECT_EQ(asked(daemon),
            "Run command: \"nginx\" networks { network: \"app\" address: \"10.40.0.9\" "
            "address6: \"fd00::9\" mac: \"02:00:00:00:00:09\" published { host_port: 8080 port: 80 "
            "count: 1 protocol: 6 } published { port: 443 count: 1 protocol: 6 } "
            "gateway_priority: 7 sysctls { key: \"net.ipv4.conf.IFNAME.rp_filter\" value: \"2\" } "
            "rate_in: 10000000 } networks { network: \"db\" }");
}

TEST_F(Commands, PsAndRm) {
  daemon.reply("ListWorkloads",
               "workloads { id: 'w1' name: 'web-1' state: WORKLOAD_EXITED exit_status: 137 "
               "command: 'nginx' command: '-g' restarts: 2 }");
  EXPECT_EQ(run({"ps"}).out,
            "ID   NAME    KIND   STATE          PID   RESTARTS   COMMAND\n"
            "w1   web-1   run    exited (137)   -     2          nginx -g\n");
  EXPECT_EQ(run({"rm", "-f", "web-1"}).out, "web-1\n");
  EXPECT_EQ(asked(daemon), "RemoveWorkload workload: \"web-1\" force: true");
}

TEST_F(Commands, ServicesShowHowManyBackendsAreReady) {
  const std::string details =
      "service { id: 's1' name: 'web' network: 'n1' vip: '10.40.0.9' ports { port: 8080 "
      "protocol: 6 } } network_name: 'app' backends { node_name: 'h1' reachable: true "
      "endpoint { " +
      std::string(kEndpoint) + " } } backends { node_name: 'h3' endpoint { " + kEndpoint + " } }";
  daemon.reply("ListServices", "services { " + details + " }");
  EXPECT_THAT(run({"service", "ls"}).out, EndsWith("10.40.0.9   8080/tcp   1/2\n"));
  daemon.reply("InspectService", details);
  EXPECT_THAT(run({"service", "ps", "web"}).out, HasSubstr("web-1      h3     10.40.0.5"));
  EXPECT_EQ(json({"service", "ps", "web"}).at(1).at("reachable"), false);
  EXPECT_EQ(json({"service", "inspect", "web"}).at("vip"), "10.40.0.9");
}

TEST_F(Commands, ServicesAreDeclaredLabelledAndRemoved) {
  const std::string service = "id: 's1' name: 'web' network: 'n1' vip: '10.40.0.9'";
  daemon.reply("CreateService", service);
  EXPECT_EQ(run({"service", "create", "--network", "app", "--port", "8080/http", "--label", "a=b",
                 "--endpoint-mode", "dnsrr", "web"})
                .out,
            "s1\n");
  EXPECT_EQ(asked(daemon),
            "CreateService name: \"web\" network: \"app\" ports { port: 8080 protocol: 6 app: "
            "APP_HTTP1 } no_vip: true labels { key: \"a\" value: \"b\" }");
  EXPECT_EQ(run({"service", "create", "--network", "app", "web"}).status, kUsage);
  EXPECT_EQ(run({"service", "create", "--port", "80", "web"}).status, kUsage);
  EXPECT_EQ(
      run({"service", "create", "--network", "app", "--port", "80", "--endpoint-mode", "x", "web"})
          .status,
      kUsage);
  daemon.reply("UpdateService", service);
  EXPECT_EQ(run({"service", "update", "--label-rm", "a", "web"}).out, "web\n");
  EXPECT_EQ(asked(daemon), "UpdateService service: \"web\" removed_labels: \"a\"");
  EXPECT_EQ(run({"service", "rm", "web"}).out, "web\n");
  EXPECT_EQ(asked(daemon), "RemoveService ref: \"web\"");
}

TEST_F(Commands, SwarmInitPrintsTheJoinCommandOnALineOfItsOwn) {
  daemon.reply("SwarmInit", "node { " + std::string(kNode) +
                                " } join_command: 'heddle swarm join --token T 192.0.2.1:7373'");
  const auto result =
      run({"swarm", "init", "--advertise-addr", "192.0.2.1", "--data-path-port", "4790"});
  EXPECT_THAT(result.out, EndsWith("\nheddle swarm join --token T 192.0.2.1:7373\n"));
  EXPECT_EQ(asked(daemon), "SwarmInit advertise_address: \"192.0.2.1\" vxlan_port: 4790");
  const auto forced = run({"swarm", "init", "--force-new-cluster"});
  EXPECT_THAT(forced.out, HasSubstr("is the swarm's only manager now"));
  EXPECT_EQ(asked(daemon), "SwarmInit force_new_cluster: true");
  EXPECT_EQ(run({"swarm", "init", "--force-new-cluster", "--api-port", "7"}).status, kUsage);
}

TEST_F(Commands, SwarmJoinLeaveAndTokens) {
  daemon.reply("SwarmJoin", kNode);
  EXPECT_EQ(run({"swarm", "join", "--token", "T", "192.0.2.1:7373"}).status, kDone);
  EXPECT_EQ(asked(daemon), "SwarmJoin token: \"T\" manager: \"192.0.2.1:7373\"");
  EXPECT_EQ(run({"swarm", "join", "192.0.2.1:7373"}).status, kUsage);
  EXPECT_EQ(run({"swarm", "leave", "--force"}).status, kDone);
  EXPECT_EQ(asked(daemon), "SwarmLeave force: true");
  daemon.reply("JoinToken", "token: 'T2' join_command: 'heddle swarm join --token T2 h:1'");
  EXPECT_EQ(run({"swarm", "join-token", "-q", "--rotate", "--ttl", "60", "worker"}).out, "T2\n");
  EXPECT_EQ(asked(daemon), "JoinToken rotate: true ttl_seconds: 60");
  EXPECT_EQ(run({"swarm", "join-token", "--ttl", "60", "worker"}).status, kUsage);
}

TEST_F(Commands, Nodes) {
  daemon.reply("ListNodes", "nodes { self: true reachable: true manager_status: 'leader' node { " +
                                std::string(kNode) + " } }");
  EXPECT_THAT(run({"node", "ls"}).out,
              EndsWith("d00d000000000000 *   h1     manager   ready    active         yes         "
                       "192.0.2.1   leader\n"));
  EXPECT_EQ(json({"node", "inspect", "self"}).at("name"), "h1");
  EXPECT_EQ(json({"node", "inspect", "d00d"}).at("name"), "h1");
  const auto missing = run({"node", "inspect", "h9"});
  EXPECT_EQ(missing.status, kFailed);
  EXPECT_EQ(missing.err, "heddle: no node 'h9'; see heddle node ls\n");
}

TEST_F(Commands, NodesChangeTheirRoleAndGo) {
  daemon.reply("SetNodeRole", kNode);
  EXPECT_EQ(run({"node", "promote", "h1"}).out, "Node h1 is a manager now.\n");
  EXPECT_EQ(asked(daemon), "SetNodeRole node: \"h1\" role: NODE_MANAGER");
  EXPECT_EQ(run({"node", "demote", "h1", "h2"}).status, kDone);
  EXPECT_EQ(asked(daemon), "SetNodeRole node: \"h2\"");
  EXPECT_EQ(run({"node", "rm", "--force", "h3"}).out, "h3\n");
  EXPECT_EQ(asked(daemon), "RemoveNode node: \"h3\" force: true");
  EXPECT_EQ(run({"node", "rm"}).status, kUsage);
  daemon.reply("UpdateNode", kNode);
  EXPECT_EQ(run({"node", "update", "--availability", "drain", "--label-add", "zone=a", "--label-rm",
                 "rack", "h1"})
                .out,
            "h1\n");
  EXPECT_EQ(
      asked(daemon),
      "UpdateNode node: \"h1\" availability: NODE_DRAIN labels { key: \"zone\" value: \"a\" } "
      "removed_labels: \"rack\"");
  EXPECT_EQ(run({"node", "update", "--availability", "gone", "h1"}).status, kUsage);
  EXPECT_EQ(run({"node", "update", "h1"}).status, kUsage);
  daemon.reply("ListNodes", "nodes { node { " + std::string(kNode) + " } }");
  daemon.reply("ListNodeEndpoints",
               "endpoints { network_name: 'app' endpoint { " + std::string(kEndpoint) + " } }");
  EXPECT_THAT(run({"node", "ps", "h1"}).out, HasSubstr("web-1      app       10.40.0.5"));
}

// Goal: who looks at the nodes of a swarm without a leader learns the way back.
TEST_F(Commands, ALostQuorumIsSaidBelowTheNodes) {
  daemon.reply("ListNodes", "nodes { self: true manager_status: 'unreachable' node { " +
                                std::string(kNode) + " } }");
  EXPECT_THAT(run({"node", "ls"}).out, HasSubstr("heddle swarm init --force-new-cluster"));
}

TEST_F(Commands, Sidecars) {
  daemon.reply("InjectSidecar", "workload { id: 'w1' name: 'c' } state: 'ready' pid: 5");
  EXPECT_EQ(run({"sidecar", "inject", "c"}).out, "c: sidecar ready\n");
  EXPECT_EQ(run({"sidecar", "eject", "c"}).status, kDone);
  EXPECT_EQ(asked(daemon), "EjectSidecar workload: \"c\"");
}

TEST_F(Commands, ALoadBalancerFromItsFlags) {
  daemon.reply("CreateLoadBalancer", kBalancer);
  const auto result = run({"lb", "create", "front", "--network", "app", "--listen",
                           "http://0.0.0.0:80", "--target", "web:8080", "--target",
                           "api=backend:9090,least-request", "--rule", "path=/api* -> api"});
  EXPECT_EQ(result.out, "b1\n") << result.err;
  EXPECT_EQ(asked(daemon),
            "CreateLoadBalancer name: \"front\" network: \"app\" listeners { "
            "address: \"0.0.0.0:80\" protocol: APP_HTTP1 default_target_group: \"web\" rules { "
            "priority: 10 path_prefix: \"/api\" target_group: \"api\" } } target_groups { "
            "name: \"web\" service: \"web\" port: 8080 } target_groups { name: \"api\" "
            "service: \"backend\" port: 9090 algorithm: LB_LEAST_REQUEST }");
  daemon.reply("InspectLoadBalancer", kBalancer);
  EXPECT_THAT(run({"lb", "inspect", "front"}).out, HasSubstr("10: path=/api* -> api\n"));
}

TEST_F(Commands, ALoadBalancerThatCannotBeIsNotAskedFor) {
  const std::vector<std::string> base = {
      "lb",       "create",  "f", "--network", "n", "--listen", "http://0.0.0.0:80",
      "--target", "web:8080"};
  const auto with = [&](std::vector<std::string> more) {
    auto line = base;
    line.insert(line.end(), more.begin(), more.end());
    return run(line);
  };
  EXPECT_EQ(with({"--target", "web:81"}).status, kUsage);
  EXPECT_EQ(with({"--rule", "path=/x* -> nope"}).status, kUsage);
  EXPECT_EQ(run({"lb", "create", "f", "--network", "n"}).err.substr(0, 27),
            "heddle: --listen is missing");
  EXPECT_TRUE(daemon.calls().empty());
}

TEST_F(Commands, VerifyIs1WhileDifferencesStay) {
  EXPECT_EQ(run({"verify"}).status, kDone);
  daemon.reply("Verify", "differences: 'link hdl-br0 is missing'");
  const auto result = run({"verify"});
  EXPECT_EQ(result.status, kFailed);
  EXPECT_EQ(result.out, "link hdl-br0 is missing\n1 differences.\n");
  EXPECT_EQ(result.err, "");
  daemon.reply("Verify", "differences: 'x' repaired: 'x'");
  EXPECT_EQ(run({"verify", "--repair"}).status, kDone);
}

TEST_F(Commands, SystemInfoAndReset) {
  daemon.reply("SystemInfo",
               "version: '0.1.0' node_name: 'h1' swarm: 'inactive' capabilities { "
               "name: 'netem' lost: 'labs without delay' } drops { reason: 'x' "
               "packets: 3 bytes: 180 }");
  EXPECT_THAT(run({"system", "info"}).out, HasSubstr("netem        no        labs without delay"));
  EXPECT_EQ(json({"system", "info"}).at("drops").at(0).at("packets"), 3);
  EXPECT_EQ(run({"system", "reset"}).status, kUsage);
  EXPECT_EQ(run({"system", "reset", "--force"}).status, kDone);
  EXPECT_EQ(daemon.calls().back().method, "Reset");
}

TEST_F(Commands, ADaemonsTextCannotMoveTheCursor) {
  daemon.reply("Verify", "differences: '\\033[2J'");
  EXPECT_EQ(run({"verify"}).out.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace heddle::cmd
