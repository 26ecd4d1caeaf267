#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "tests/support/proxy/backend.h"
#include "tests/support/proxy/fake_control.h"
#include "tests/support/proxy/proxy_process.h"

namespace heddle::testing {

// The real program between real sockets and a fake heddled.
class ProxyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/heddle-proxy-test-XXXXXX";
    directory_ = ::mkdtemp(name);
    ::chmod(name, 0755);
    control_ = std::make_unique<FakeControl>(socket_path());
  }
  void TearDown() override {
    proxy_.reset();
    control_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::string socket_path() const { return directory_ + "/control.sock"; }

  void start_control() {
    control_->start();
    ::chmod(socket_path().c_str(), 0777);
  }

  // A load balancer's listener "web" that forwards to group "web" with these targets.
  void start(const std::vector<SocketAddr>& targets) {
    start(group_of("web", pb::PROTOCOL_HTTP1, targets));
  }
  void start(pb::TargetGroup group, std::vector<std::string> arguments = {}) {
    snapshot_.set_revision(1);
    *snapshot_.add_listeners() = http_listener("lb", "web", "web");
    *snapshot_.add_target_groups() = std::move(group);
    start_with_snapshot({"web"}, std::move(arguments));
  }
  void start_with_snapshot(std::vector<std::string> sockets,
                           std::vector<std::string> arguments = {}) {
    control_->set_snapshot(snapshot_);
    start_control();
    ProxyProcess::Options options;
    options.control_socket = socket_path();
    options.sockets = std::move(sockets);
    options.arguments = std::move(arguments);
    options.arguments.insert(options.arguments.end(), {"--log-level", "warn"});
    proxy_ = std::make_unique<ProxyProcess>(options);
    ASSERT_TRUE(control_->wait_for_ack(snapshot_.revision(), std::chrono::seconds(60)));
    ASSERT_EQ(control_->ack_error(snapshot_.revision()), "");
  }

  std::string get(std::string_view path, std::string_view extra = "") {
    return exchange(proxy_->port("web"), "GET " + std::string(path) +
                                             " HTTP/1.1\r\nHost: web\r\nConnection: close\r\n" +
                                             std::string(extra) + "\r\n");
  }

  std::string directory_;
  pb::Snapshot snapshot_;
  std::unique_ptr<FakeControl> control_;
  std::unique_ptr<ProxyProcess> proxy_;
};

}  // namespace heddle::testing
