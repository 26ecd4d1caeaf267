#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/base/unique_fd.h"
#include "common/net/ip.h"
#include "netd/holder/keeper.h"
#include "netd/mesh/mesh.h"
#include "netd/model/view.h"
#include "netd/runtime/runtime.h"

namespace heddle::mesh {

// An HTTP server of one answer at one address of a namespace: keeps no connection alive, so each
// request is one it was given.
class OneAnswer {
 public:
  OneAnswer(const std::string& netns, const SocketAddr& address, std::string body);
  ~OneAnswer();
  int served() const { return served_.load(); }

 private:
  void run();
  const std::string body_;
  UniqueFd listening_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> served_{0};
  std::thread thread_;
};

// What answers `GET /` at an address: the body, or "" with no answer within 5 s. `netns`: "" ours.
std::string get(const SocketAddr& address, const std::string& netns = "",
                const std::string& host = "test");
// The same over a unix socket: a page of a proxy's own.
std::string get_page(const std::string& socket, const std::string& page);
UniqueFd connect_to(const SocketAddr& address, const std::string& netns = "");
std::string request_on(int fd, const std::string& host = "test", const std::string& page = "/");

// The mesh with the real heddle-proxy and heddle-holder, one private namespace as the sandbox.
class MeshTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  void start_mesh();
  void stop_mesh() { mesh_.reset(); }  // as the daemon's end: proxies go on
  void update() { mesh_->update(std::make_shared<const model::View>(view_)); }

  void add_network();
  void add_backend(const std::string& id, const std::string& address,
                   const std::string& node = "node1");
  void add_load_balancer();  // listener on a free port of our loopback, group of `web`
  void add_sidecar();        // workload `client` attached to `app`

  ProxyStatus wait_until(const std::string& id, ProxyState state);
  static void until(const std::string& what, const std::function<bool()>& holds);

  std::string dir_, run_dir_, sandbox_, cgroup_;
  SocketAddr front_;  // of the load balancer
  std::uint32_t uid_ = 65534;
  model::View view_;
  std::unique_ptr<holder::Keeper> keeper_;
  std::unique_ptr<runtime::Processes> processes_;
  std::atomic<int> changes_{0};
  std::unique_ptr<Mesh> mesh_;
};

}  // namespace heddle::mesh
