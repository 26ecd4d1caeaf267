#include "netd/config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::config {
namespace {

using testing::HasSubstr;

Result<Parsed> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "heddled");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Settings, DefaultsAreThoseOfTheDesign) {
  const auto parsed = parse({"--name", "h1", "--cgroup", "/sys/fs/cgroup/x"});
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(parsed->settings.socket, "/run/heddle/heddled.sock");
  EXPECT_EQ(parsed->settings.state_dir, "/var/lib/heddle");
  EXPECT_EQ(parsed->settings.local_pools, std::vector{*Prefix::parse("172.20.0.0/14")});
  EXPECT_EQ(parsed->settings.workload_cgroup, "/sys/fs/cgroup/x");
  EXPECT_EQ(parsed->settings.local_subnet_length, 20);
  EXPECT_TRUE(parsed->settings.never_choose.empty());
  EXPECT_EQ(parsed->settings.docker_socket, "/run/docker.sock");
  EXPECT_EQ(parsed->settings.podman_socket, "/run/podman/podman.sock");
}

TEST(Settings, PoolsMayBeOfBothFamilies) {
  const auto parsed =
      parse({"--name", "h1", "--cgroup", "/c", "--local-pool", "10.0.0.0/24", "fd00:1::/56",
             "--local-subnet-length", "26", "--never-choose", "10.0.0.0/25"});
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(parsed->settings.local_pools,
            (std::vector{*Prefix::parse("10.0.0.0/24"), *Prefix::parse("fd00:1::/56")}));
  EXPECT_EQ(parsed->settings.local_subnet_length, 26);
  EXPECT_EQ(parsed->settings.never_choose, std::vector{*Prefix::parse("10.0.0.0/25")});
}

TEST(Settings, TheHostIsServedWhereItSays) {
  auto parsed = parse({"--name", "h1", "--cgroup", "/c"});
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->settings.host_dns) << "a listener on port 53 could be in the way";
  parsed = parse({"--name", "h1", "--cgroup", "/c", "--host-dns", "127.0.0.12", "--host-dns-others",
                  "forward", "--dns-upstream", "192.0.2.53", "[2001:db8::1]:5353"});
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(parsed->settings.host_dns->format(), "127.0.0.12:53");
  EXPECT_EQ(parsed->settings.host_dns_others, Settings::Others::forward);
  ASSERT_EQ(parsed->settings.dns_upstreams.size(), 2u);
  EXPECT_EQ(parsed->settings.dns_upstreams[1].format(), "[2001:db8::1]:5353");
}

TEST(Settings, EachBadValueIsNamedAndRefused) {
  struct Case {
    std::vector<const char*> arguments;
    const char* names;
  };
  const std::vector<Case> cases{
      {{"--state-dir", "relative"}, "--state-dir"},
      {{"--run-dir", "/a/../b"}, "--run-dir"},
      {{"--name", "Not A Name"}, "--name"},
      {{"--local-pool", "10.0.0.1/8"}, "host bits"},
      {{"--local-pool", "10.0.0.0/24"}, "at least one /20"},
      {{"--local-pool", "fd00:1::/96"}, "at least one /64"},
      {{"--local-pool", "fd00:1::/48"}, "must be IPv4"},
      {{"--local-subnet-length", "30"}, "--local-subnet-length"},
      {{"--never-choose", "10.0.0.0"}, "--never-choose"},
      {{"--docker-socket", "docker.sock"}, "--docker-socket"},
      {{"--podman-socket", "/run/../podman.sock"}, "--podman-socket"},
      {{"--host-dns", "here"}, "--host-dns"},
      {{"--host-dns", "0.0.0.0"}, "one address of this host"},
      {{"--host-dns", "127.0.0.12:0"}, "--host-dns"},
      {{"--host-dns-others", "drop"}, "--host-dns-others"},
      {{"--dns-upstream", "example.com"}, "--dns-upstream"},
      {{"--host-dns", "127.0.0.12", "--dns-upstream", "127.0.0.12"}, "ask itself"},
      {{"--log-level", "loud"}, "--log-level"},
      {{"--audit-interval", "0"}, "--audit-interval"},
      {{"--no-such-flag"}, "--no-such-flag"},
  };
  for (const Case& c : cases) {
    const auto parsed = parse(c.arguments);
    ASSERT_FALSE(parsed.has_value()) << c.arguments.front();
    EXPECT_EQ(parsed.error().code(), Errc::invalid);
    EXPECT_THAT(parsed.error().text(), HasSubstr(c.names));
  }
}

TEST(Settings, ASocketPathThatUnixDoesNotAllowIsRefused) {
  const std::string path = "/" + std::string(120, 'x');
  const auto parsed = parse({"--socket", path.c_str(), "--name", "h1"});
  ASSERT_FALSE(parsed.has_value());
  EXPECT_THAT(parsed.error().text(), HasSubstr("107 bytes"));
}

TEST(Settings, FindsTheCgroup2MountAmongOthers) {
  const char* mounts =
      "24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "25 24 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "26 24 0:24 /sub /elsewhere rw - cgroup2 cgroup2 rw\n"
      "27 24 0:24 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(*find_cgroup2(mounts), "/sys/fs/cgroup/unified");
  EXPECT_EQ(find_cgroup2("24 1 0:22 / / rw - ext4 /dev/vda rw\n").error().code(),
            Errc::unsupported);
}

}  // namespace
}  // namespace heddle::config
