#include "netd/model/view.h"

#include <gtest/gtest.h>

namespace heddle::model {
namespace {

std::string digits(const std::string& start) {
  return start + std::string(64 - start.size(), '0');
}

TEST(FindWorkload, TakesEveryWayOfNaming) {
  View all;
  all.workloads["0123456789abcdef"] = {.id = "0123456789abcdef",
                                       .name = "web-x",
                                       .kind = WorkloadKind::docker,
                                       .sandbox = "/run/heddle/netns/c1",
                                       .container = digits("feedc0de"),
                                       .container_name = "Web.x"};
  all.workloads["1123456789abcdef"] = {.id = "1123456789abcdef",
                                       .name = "pid-7",
                                       .kind = WorkloadKind::pid,
                                       .sandbox = "/proc/7/ns/net",
                                       .sandbox_owner = "7:99"};
  all.workloads["2123456789abcdef"] = {.id = "2123456789abcdef",
                                       .name = "db",
                                       .kind = WorkloadKind::docker,
                                       .container = digits("feedbeef"),
                                       .container_name = "db"};
  const auto id_of = [&](const std::string& ref) {
    const auto found = find_workload(all, ref);
    return found ? (*found)->id.substr(0, 1) : found.error().text();
  };
  EXPECT_EQ(id_of("web-x"), "0");
  EXPECT_EQ(id_of("0123"), "0");
  EXPECT_EQ(id_of("docker:Web.x"), "0");
  EXPECT_EQ(id_of("docker:feedc"), "0");
  EXPECT_EQ(id_of("docker:" + digits("feedbeef")), "2");
  EXPECT_EQ(id_of("netns:/proc/7/ns/net"), "1");
  EXPECT_EQ(id_of("pid:7"), "1");
  EXPECT_EQ(id_of("podman:db"), "no workload 'podman:db' is known here");
  EXPECT_EQ(id_of("docker:web-x"), "no workload 'docker:web-x' is known here")
      << "the engine's name is meant";
  EXPECT_EQ(id_of("docker:fee"), "no workload 'docker:fee' is known here");
  EXPECT_EQ(id_of("docker:feed"),
            "several containers have an id that starts with 'feed'; give more digits");
  EXPECT_EQ(id_of("pid:"), "no workload 'pid:' is known here");
  EXPECT_EQ(id_of("netns:"), "no workload 'netns:' is known here") << "the stopped container";
}

}  // namespace
}  // namespace heddle::model
