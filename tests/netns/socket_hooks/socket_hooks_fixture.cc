#include "tests/netns/socket_hooks/socket_hooks_fixture.h"

#include <utility>

namespace heddle::testing {

std::unique_ptr<PrivateKernel> SocketHooks::kernel_;
std::string SocketHooks::app_cgroup_;
std::string SocketHooks::proxy_cgroup_;

void SocketHooks::SetUpTestSuite() {
  auto kernel = PrivateKernel::enter();
  ASSERT_TRUE(kernel.has_value()) << kernel.error().text();
  kernel_ = std::move(*kernel);
  ASSERT_EQ(shell("ip link set lo up && for i in 10 11 12; do ip addr add 10.40.0.$i/32 dev lo; "
                  "done && ip route add local 198.51.100.0/24 dev lo"),
            0);
  auto app = kernel_->make_cgroup("app");
  auto proxy = kernel_->make_cgroup("proxy");
  ASSERT_TRUE(app.has_value() && proxy.has_value());
  app_cgroup_ = *app;
  proxy_cgroup_ = *proxy;
  const auto joined = kernel_->join(app_cgroup_);
  ASSERT_TRUE(joined.has_value()) << joined.error().text();
}

void SocketHooks::TearDownTestSuite() {
  kernel_.reset();
}

void SocketHooks::SetUp() {
  static int count = 0;
  auto pins = kernel_->make_pin_dir("s" + std::to_string(count++));
  ASSERT_TRUE(pins.has_value()) << pins.error().text();
  pins_ = *pins;
  auto programs =
      bpf::Programs::load({.pin_dir = pins_, .cgroup = kernel_->cgroup(), .link_group = 0});
  ASSERT_TRUE(programs.has_value()) << programs.error().text();
  programs_ = std::move(*programs);
  cookie_ = netns_cookie();
  ASSERT_NE(cookie_, 0u);
}

void SocketHooks::TearDown() {
  if (!programs_) return;
  const auto removed = programs_->remove_everything();
  EXPECT_TRUE(removed.has_value()) << removed.error().text();
}

void SocketHooks::put_member(bool resolver) {
  const auto put =
      programs_->put_member({.cookie = cookie_, .networks = {kNetwork}, .resolver = resolver});
  ASSERT_TRUE(put.has_value()) << put.error().text();
}

void SocketHooks::put_service(dataplane::Protocol protocol, std::vector<std::string> backends,
                              std::uint16_t port) {
  dataplane::ServiceEntry service{
      .network = kNetwork, .vip = kVip, .port = port, .protocol = protocol, .backends = {}};
  for (const std::string& text : backends) service.backends.push_back(backend(text));
  put_service(service);
}

void SocketHooks::put_service(const dataplane::ServiceEntry& service) {
  const auto put = programs_->put_service(service);
  ASSERT_TRUE(put.has_value()) << put.error().text();
}

dataplane::BackendAddress SocketHooks::backend(const std::string& text, dataplane::BackendUse use,
                                               std::uint8_t weight) {
  const SocketAddr address = at(text);
  return {address.address, address.port, use, weight};
}

}  // namespace heddle::testing
