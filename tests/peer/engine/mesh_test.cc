// Goal: what containers of the real engines do by service name is balanced, through the VIP and
// then through sidecars injected while they run, and goes on after their restart. Method: two
// busybox servers and curl, all without a network of their engine's; proxies are asked what they
// saw.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "tests/peer/engine/world.h"

namespace heddle::peer {
namespace {

class ContainerMesh : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string missing = World::missing(GetParam());
    if (!missing.empty()) GTEST_SKIP() << missing;
    world_ = std::make_unique<World>(GetParam());
    host::run("heddle network create --subnet 172.29.8.0/24 app");
    world_->run_box("client");
    host::run("heddle network connect app " + reference("client"));
    for (const std::string name : {"red", "blue"}) {
      world_->run_box(name, "--network none",
                      "sh -c 'echo " + name + " > /index.html; exec httpd -f -p 80 -h /'");
      host::run("heddle network connect --service web --port 80/tcp/http app " + reference(name));
    }
    ASSERT_TRUE(eventually([&] { return ask(8).size() == 2; })) << "through the VIP";
  }
  void TearDown() override { world_.reset(); }

  std::string reference(const std::string& name) const { return GetParam() + ":" + name; }
  // Who answered the client's requests, and how often. A failed request is answered by "".
  std::map<std::string, int> ask(int times) const {
    std::map<std::string, int> answers;
    for (int i = 0; i < times; ++i) {
      const std::string got =
          world_->exec("client", "curl -s -m 5 http://web/ 2>/dev/null || true");
      ++answers[got.substr(0, got.find('\n'))];
    }
    return answers;
  }
  // Requests that a container's sidecar says it forwarded, in both directions.
  static int forwarded(const std::string& name) {
    return std::atoi(host::run("curl -s --unix-socket \"$(heddle sidecar ls --format json | jq -r "
                               "'.[] | select(.workload_name==\"" +
                               name +
                               "\") | .metrics')\" http://proxy/metrics | awk "
                               "'/^heddle_proxy_requests_total/ { n += $2 } END { print n + 0 }'")
                         .c_str());
  }
  void inject(const std::string& name) const {
    host::run("heddle sidecar inject " + reference(name));
  }

  std::unique_ptr<World> world_;
};

TEST_P(ContainerMesh, VipThenSidecarsThenARestart) {
  const auto by_vip = ask(20);
  EXPECT_EQ(by_vip.count(""), 0u);
  EXPECT_EQ(by_vip.size(), 2u);

  inject("client");
  ASSERT_TRUE(eventually([&] { return ask(1).count("") == 0 && forwarded("client") > 0; }));
  const int before = forwarded("client");
  EXPECT_EQ(ask(10), (std::map<std::string, int>{{"blue", 5}, {"red", 5}})) << "per request";
  EXPECT_EQ(forwarded("client") - before, 10);

  inject("red");
  EXPECT_EQ(ask(10), (std::map<std::string, int>{{"blue", 5}, {"red", 5}}));
  EXPECT_EQ(forwarded("red"), 5) << "what comes in passes its sidecar too";

  world_->engine("restart -t 1 client");
  EXPECT_TRUE(
      eventually([&] { return ask(4) == std::map<std::string, int>{{"blue", 2}, {"red", 2}}; }));
  EXPECT_TRUE(eventually([&] { return forwarded("client") > 0; })) << "its sidecar follows it";
  world_->engine("restart -t 1 red");
  EXPECT_TRUE(
      eventually([&] { return ask(4) == std::map<std::string, int>{{"blue", 2}, {"red", 2}}; }));

  host::run("heddle sidecar eject " + reference("client"));
  host::run("heddle sidecar eject " + reference("red"));
  const auto again = ask(20);
  EXPECT_EQ(again.count(""), 0u);
  EXPECT_EQ(again.size(), 2u);
  EXPECT_TRUE(eventually([] { return host::status_of("heddle verify") == 0; }))
      << host::run("heddle verify || true");
}

INSTANTIATE_TEST_SUITE_P(Engines, ContainerMesh, testing::Values("docker", "podman"),
                         [](const auto& named) { return named.param; });

}  // namespace
}  // namespace heddle::peer
