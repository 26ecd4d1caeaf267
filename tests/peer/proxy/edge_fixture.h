#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/proxy/backend.h"
#include "tests/support/proxy/edge_process.h"
#include "tests/support/proxy/proxy_process.h"

namespace heddle::testing {

// The program on its own, by a file.
class EdgeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/heddle-edge-test-XXXXXX";
    directory_ = ::mkdtemp(name);
    port_ = free_port();
  }
  void TearDown() override {
    proxy_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::string listener(const std::string& rules, const std::string& fallback) const {
    return "listeners:\n  web:\n    bind: 127.0.0.1:" + std::to_string(port_) + "\n" +
           (rules.empty() ? "" : "    rules:\n" + rules) + "    default: " + fallback + "\n";
  }
  static std::string group(const std::string& name, const SocketAddr& target) {
    return "  " + name + ": {targets: [\"" + target.format() + "\"]}\n";
  }
  void start(const std::string& config, std::vector<std::string> arguments = {}) {
    proxy_ = std::make_unique<EdgeProcess>(directory_, config, std::move(arguments));
    ASSERT_TRUE(proxy_->wait_until_ready());
  }
  std::string exchange_with(const std::string& request) const {
    return testing::exchange(port_, request);
  }
  std::string get(const std::string& path, const std::string& host = "web",
                  const std::string& extra = "") const {
    return exchange_with("GET " + path + " HTTP/1.1\r\nHost: " + host +
                         "\r\nConnection: close\r\n" + extra + "\r\n");
  }

  std::string directory_;
  std::uint16_t port_ = 0;
  std::uint16_t extra_port_ = 0;
  std::unique_ptr<EdgeProcess> proxy_;
};

}  // namespace heddle::testing
