#include "netd/holder/systemd_keeper.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "netd/holder/protocol.h"

namespace heddle::holder {
namespace {

// Stands in for systemd's notification socket.
class SystemdKeeperTest : public testing::Test {
 protected:
  SystemdKeeperTest() {
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name_ = "@heddle-notify-" + std::to_string(::getpid());
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ::setenv("NOTIFY_SOCKET", name_.c_str(), 1);
    ::setenv("HEDDLE_FD_STORE", "2", 1);
  }
  ~SystemdKeeperTest() override {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("HEDDLE_FD_STORE");
  }
  std::string next() {
    char buffer[512];
    const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return n < 0 ? "" : std::string(buffer, static_cast<std::size_t>(n));
  }
  UniqueFd socket_;
  std::string name_;
};

TEST(FdName, GoesThereAndBackAndFitsSystemdsRules) {
  const std::string name = "proxy/0123456789abcdef/lb:0.0.0.0:80";
  const std::string text = format_fd_name(name);
  EXPECT_EQ(text.find(':'), std::string::npos);
  EXPECT_EQ(parse_fd_name(text), name);
  EXPECT_EQ(parse_fd_name("heddled.socket"), std::nullopt);
  EXPECT_EQ(parse_fd_name("h="), std::nullopt);
  EXPECT_LE(format_fd_name(std::string(kMaxName, 'x')).size(), 255u);
}

TEST_F(SystemdKeeperTest, OfferedOnlyWithANotifySocketAndABound) {
  EXPECT_EQ(SystemdKeeper::offered(), 2u);
  ::setenv("HEDDLE_FD_STORE", "none", 1);
  EXPECT_EQ(SystemdKeeper::offered(), std::nullopt);
  ::setenv("HEDDLE_FD_STORE", "2", 1);
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_EQ(SystemdKeeper::offered(), std::nullopt);
}

TEST_F(SystemdKeeperTest, StoresReplacesAndRemovesByName) {
  auto keeper = SystemdKeeper::open(2);
  ASSERT_TRUE(keeper);
  const UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE((*keeper)->put("dns/a:53", fd.get()));
  EXPECT_EQ(next(), "FDSTORE=1\nFDPOLL=0\nFDNAME=h=dns/a=53");
  ASSERT_TRUE((*keeper)->put("dns/a:53", fd.get()));
  EXPECT_EQ(next(), "FDSTOREREMOVE=1\nFDNAME=h=dns/a=53") << "systemd would keep both";
  EXPECT_EQ(next(), "FDSTORE=1\nFDPOLL=0\nFDNAME=h=dns/a=53");
  ASSERT_TRUE((*keeper)->put("b", fd.get()));
  const auto full = (*keeper)->put("c", fd.get());
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), Errc::exhausted);
  EXPECT_EQ((*keeper)->take_all()->size(), 2u);
  next();
  ASSERT_TRUE((*keeper)->drop("b"));
  EXPECT_EQ(next(), "FDSTOREREMOVE=1\nFDNAME=h=b");
  ASSERT_TRUE((*keeper)->shut());
  EXPECT_EQ(next(), "FDSTOREREMOVE=1\nFDNAME=h=dns/a=53");
  EXPECT_TRUE((*keeper)->take_all()->empty());
}

TEST_F(SystemdKeeperTest, WhatSystemdGaveBackIsTakenAtStart) {
  // In a child: inherited descriptors start at 3, and LISTEN_PID must be ours.
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    int ends[2];
    if (::pipe(ends) < 0 || ::write(ends[1], "hi", 2) != 2) ::_exit(9);
    const int read_end = ::fcntl(ends[0], F_DUPFD, 20);
    if (::dup2(read_end, 3) < 0 || ::dup2(read_end, 4) < 0) ::_exit(9);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "2", 1);
    ::setenv("LISTEN_FDNAMES", "heddled.socket:h=dns/a=53", 1);
    auto keeper = SystemdKeeper::open(2);
    auto all = (*keeper)->take_all();
    char text[2];
    const bool good = all && all->size() == 1 && all->contains("dns/a:53") &&
                      ::read(all->at("dns/a:53").get(), text, 2) == 2 && text[0] == 'h';
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace heddle::holder
