#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"

namespace heddle {

// A port of 127.0.0.1 that was free a moment ago.
inline std::uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// A real etcd of one member with a directory of its own; both go with it. `tls` are further flags
// of its client side.
class EtcdServer {
 public:
  explicit EtcdServer(std::vector<std::string> tls = {}) : tls_(std::move(tls)) {
    char path[] = "/tmp/heddle-etcd-XXXXXX";
    dir_ = ::mkdtemp(path);
    port_ = free_port();
    peer_port_ = free_port();
    start();
  }
  EtcdServer(const EtcdServer&) = delete;
  EtcdServer& operator=(const EtcdServer&) = delete;
  ~EtcdServer() {
    kill();
    std::filesystem::remove_all(dir_);
  }

  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }

  void start() {
    const std::string scheme = tls_.empty() ? "http://" : "https://";
    const std::string client = scheme + endpoint();
    const std::string peer = "http://127.0.0.1:" + std::to_string(peer_port_);
    std::vector<std::string> words{"etcd",         "--name",
                                   "test",         "--data-dir",
                                   dir_ + "/data", "--listen-client-urls",
                                   client,         "--advertise-client-urls",
                                   client,         "--listen-peer-urls",
                                   peer,           "--initial-advertise-peer-urls",
                                   peer,           "--initial-cluster",
                                   "test=" + peer, "--max-txn-ops",
                                   "65536",        "--max-request-bytes",
                                   "10485760",     "--logger",
                                   "zap",          "--log-level",
                                   "error"};
    words.insert(words.end(), tls_.begin(), tls_.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string log = dir_ + "/log";
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                       0600);
    ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
    ASSERT_EQ(::posix_spawnp(&pid_, "etcd", &actions, nullptr, argv.data(), environ), 0)
        << "etcd is missing: install etcd-server";
    ::posix_spawn_file_actions_destroy(&actions);
    wait_until_listening();
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  void wait_until_listening() {
    for (int i = 0; i < 1000; ++i) {
      const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(port_);
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return;
      ASSERT_EQ(::waitpid(pid_, nullptr, WNOHANG), 0) << "etcd ended, see " << dir_ << "/log";
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL() << "etcd does not listen on " << endpoint();
  }

  std::vector<std::string> tls_;
  std::string dir_;
  std::uint16_t port_ = 0;
  std::uint16_t peer_port_ = 0;
  ::pid_t pid_ = -1;
};

}  // namespace heddle
