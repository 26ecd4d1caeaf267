// Goal: the host's programs find workloads through the resolver that the host has, set up as
// docs/dns.md says. Method: its lines are read from there and given to the real resolvers, in a
// private namespace with one link, at whose other end a name server answers everything else.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "tests/peer/host_dns/world.h"

namespace heddle::peer {
namespace {

using Strings = std::vector<std::string>;

constexpr int kNameError = 3;
const Strings kC1 = {"A 10.40.0.77"};
const Strings kOther = {"A " + std::string(kElsewhere)};
const Strings kNameOfC1 = {"PTR c1.app.heddle.internal."};

// A key that nothing is signed with.
constexpr const char* kNobodysKey =
    "DS 20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d";

class HostDns : public testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = World::missing();
    if (!missing.empty()) GTEST_SKIP() << missing;
    world_ = std::make_unique<World>();
  }

  // The file of docs/dns.md, as a resolver of its own reads it.
  std::string write(const std::string& name, const std::string& text) const {
    std::string path = world_->directory() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  void expect_answers(const std::string& server, const tests::Ask& question,
                      const Strings& answers) const {
    tests::Told told;
    EXPECT_TRUE(eventually([&] {
      told = world_->ask(server, question);
      return told.rcode == 0 && told.answers == answers;
    })) << question.name
        << ": code " << told.rcode << ", " << testing::PrintToString(told.answers);
  }

  void expect_nobody(const std::string& server, const std::string& name) const {
    int code = -1;
    EXPECT_TRUE(eventually([&] {
      code = world_->ask(server, {.name = name}).rcode;
      return code == kNameError;
    })) << name
        << ": code " << code;
  }

  void expect_names_at(const std::string& server) const {
    expect_answers(server, {.name = "c1.app.heddle.internal"}, kC1);
    expect_nobody(server, "nobody.app.heddle.internal");
    expect_nobody(server, "c1.nowhere.heddle.internal");
    expect_answers(server, {.name = "77.0.40.10.in-addr.arpa", .type = "PTR"}, kNameOfC1);
    EXPECT_NE(host::run("getent ahostsv4 c1.app.heddle.internal").find("10.40.0.77"),
              std::string::npos);
    expect_answers(server, {.name = "www.example.com"}, kOther);
    EXPECT_TRUE(world_->upstream().was_asked("www.example.com"));
    EXPECT_FALSE(world_->upstream().was_asked("c1.app.heddle.internal"));
    EXPECT_FALSE(world_->upstream().was_asked("nobody.app.heddle.internal"));
    EXPECT_FALSE(world_->upstream().was_asked("77.0.40.10.in-addr.arpa"));
  }

  // heddled's upstream is the resolver that asks heddled for its names.
  void expect_no_circle() const {
    tests::Told told;
    EXPECT_TRUE(eventually([&] {
      told = world_->ask_from_c1("far.example.com");
      return told.answers == kOther;
    })) << "code "
        << told.rcode;
    EXPECT_EQ(host::run("heddle system info --format json | jq .dns.counters.loops"), "0");
  }

  // Nobody has asked for `spare` before: no cache knows it.
  void expect_names_after_a_crash(const std::string& server, const std::string& flags) {
    world_->kill_heddled();
    EXPECT_NE(world_->ask(server, {.name = "spare.app.heddle.internal"}).answers, kC1);
    expect_answers(server, {.name = "near.example.com"}, kOther);
    world_->start_heddled(flags);
    expect_answers(server, {.name = "spare.app.heddle.internal"}, kC1);
    expect_answers(server, {.name = "c1.app.heddle.internal"}, kC1);
  }

  std::unique_ptr<World> world_;
};

const std::string kFlags = "--host-dns 127.0.0.12";

TEST_F(HostDns, Dnsmasq) {
  if (host::status_of("command -v dnsmasq") != 0) GTEST_SKIP() << "dnsmasq is not installed";
  world_->set_name_server("127.0.0.1");
  world_->start_heddled(kFlags);
  const std::string ours = write("heddle.conf", documented("/etc/dnsmasq.d/heddle.conf"));
  // As strict with private addresses as it can be.
  const std::string all = write(
      "dnsmasq.conf", "no-resolv\nserver=" + std::string(kUpstream) +
                          "\nstop-dns-rebind\nbogus-priv\nuser=root\npid-file\nconf-file=" + ours +
                          "\nlog-queries\nlog-facility=" + world_->directory() + "/dnsmasq.log\n");
  world_->start_resolver("dnsmasq --keep-in-foreground -C " + all);
  expect_names_at("127.0.0.1");
  const std::string before = World::queries();
  expect_answers("127.0.0.1", {.name = "only.example.com"}, kOther);
  EXPECT_EQ(World::queries(), before) << "heddled is asked for its own names alone";
  expect_no_circle();
  expect_names_after_a_crash("127.0.0.1", kFlags);
}

TEST_F(HostDns, Unbound) {
  if (host::status_of("command -v unbound") != 0) GTEST_SKIP() << "unbound is not installed";
  world_->set_name_server("127.0.0.1");
  world_->start_heddled(kFlags);
  const std::string ours =
      write("heddle.conf", documented("/etc/unbound/unbound.conf.d/heddle.conf"));
  // It validates what is around our names, and believes no private address of others.
  const std::string all = write(
      "unbound.conf",
      "server:\n  interface: 127.0.0.1\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n"
      "  use-syslog: no\n  directory: " +
          world_->directory() + "\n  private-address: 10.0.0.0/8\n  trust-anchor: \"internal. " +
          kNobodysKey + "\"\n  trust-anchor: \"10.in-addr.arpa. " + kNobodysKey +
          "\"\ninclude: " + ours +
          "\nremote-control:\n  control-enable: no\nforward-zone:\n  name: .\n  forward-addr: " +
          kUpstream + "\n");
  world_->start_resolver("unbound -d -c " + all);
  expect_names_at("127.0.0.1");
  const std::string before = World::queries();
  expect_answers("127.0.0.1", {.name = "only.example.com"}, kOther);
  EXPECT_EQ(World::queries(), before) << "heddled is asked for its own names alone";
  expect_no_circle();
  expect_names_after_a_crash("127.0.0.1", kFlags);
}

// Debian's package is not among those of the tests: it makes /etc/resolv.conf a link to a file that
// only its service writes. It runs without D-Bus, and knows of links what systemd-networkd writes.
TEST_F(HostDns, SystemdResolved) {
  const char* given = std::getenv("HEDDLE_SYSTEMD_RESOLVED");
  const std::string program = given != nullptr ? given : "/lib/systemd/systemd-resolved";
  if (::access(program.c_str(), X_OK) != 0) GTEST_SKIP() << program << " is not installed";
  world_->set_name_server("127.0.0.53");
  world_->start_heddled(kFlags);
  host::run("mount -t tmpfs heddle-test /etc/systemd && mkdir /etc/systemd/resolved.conf.d");
  std::ofstream("/etc/systemd/resolved.conf.d/heddle.conf")
      << documented("/etc/systemd/resolved.conf.d/heddle.conf");
  host::run(
      "mkdir -p /run/systemd/resolve /run/systemd/netif/links && "
      "chown 65534:65534 /run/systemd/resolve && "
      "printf 'ADMIN_STATE=configured\\nOPER_STATE=routable\\nDNS=" +
      std::string(kUpstream) +
      "\\n' > /run/systemd/netif/links/$(ip -o link show dev uplink | cut -d: -f1)");
  world_->start_resolver(
      "setpriv --reuid 65534 --regid 65534 --clear-groups "
      "--inh-caps +net_raw,+net_bind_service,+setpcap "
      "--ambient-caps +net_raw,+net_bind_service,+setpcap " +
      program);
  expect_names_at("127.0.0.53");
  expect_no_circle();
  expect_names_after_a_crash("127.0.0.53", kFlags);
}

TEST_F(HostDns, ResolvConfAlone) {
  const std::string flags =
      documented_flags("heddled --host-dns 127.0.0.12 --host-dns-others forward");
  const std::string line = documented("/etc/resolv.conf");
  ASSERT_EQ(line, "nameserver 127.0.0.12\n");
  world_->set_name_server("127.0.0.12");
  world_->start_heddled(flags);
  expect_names_at("127.0.0.12");
  expect_no_circle();
  world_->kill_heddled();
  world_->start_heddled(flags);
  expect_names_at("127.0.0.12");
}

}  // namespace
}  // namespace heddle::peer
