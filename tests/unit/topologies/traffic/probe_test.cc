// Probes against servers on this machine's loopback.
#include "topologies/traffic/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iostream>
#include <sstream>
#include <thread>

#include "common/base/unique_fd.h"

namespace heddle::traffic {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Answers each connection with one text, then closes it.
class Server {
 public:
  explicit Server(std::string answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    socklen_t length = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string place() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void serve() {
    for (;;) {
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) return;
      char buffer[4096];
      // Read first: a socket that is closed with unread bytes resets its connection.
      if (::recv(fd.get(), buffer, sizeof buffer, 0) > 0 && !answer_.empty())
        ::send(fd.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }
  std::string answer_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

struct Seen {
  int status = -1;
  std::string line;
};
Seen look(Probe probe) {
  probe.looks = 1;
  std::stringstream printed;
  auto* old = std::cout.rdbuf(printed.rdbuf());
  const auto status = run_probe(probe);
  std::cout.rdbuf(old);
  EXPECT_TRUE(status) << status.error().text();
  return {.status = status ? *status : -1, .line = printed.str()};
}
Probe http(const std::string& place, HttpProbe rest = {}) {
  rest.url = "http://" + place + "/";
  return {.what = rest};
}
constexpr const char* kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

TEST(Probe, AnAnswerAsItHasToBeHolds) {
  const Server server(kHello);
  const Seen seen = look(http(server.place(), {.url = "", .status = 200, .contains = "ell"}));
  EXPECT_EQ(seen.status, 0);
  EXPECT_THAT(seen.line, HasSubstr("\"ok\":true"));
}

TEST(Probe, WhatIsWrongIsSaid) {
  const Server server(kHello);
  EXPECT_THAT(look(http(server.place(), {.url = "", .status = 204, .contains = ""})).line,
              HasSubstr("status 200, not 204"));
  EXPECT_THAT(look(http(server.place(), {.url = "", .status = 200, .contains = "bye"})).line,
              HasSubstr("does not contain"));
  const Server mute("");
  EXPECT_THAT(look(http(mute.place())).line, HasSubstr("closed without an answer"));
  const Server other("SSH-2.0-x\r\n\r\n");
  EXPECT_THAT(look(http(other.place())).line, HasSubstr("not HTTP"));
}

TEST(Probe, ARefusedConnectionDoesNotHold) {
  std::string place;
  {
    const Server server(kHello);
    place = server.place();
    EXPECT_EQ(look({.what = TcpProbe{place}}).status, 0);
  }
  const Seen seen = look({.what = TcpProbe{place}});
  EXPECT_EQ(seen.status, 1);
  EXPECT_THAT(seen.line, HasSubstr("refused"));
}

TEST(Probe, WhatCanNeverBeIsAnError) {
  EXPECT_FALSE(run_probe({.what = HttpProbe{.url = "ftp://x/"}}));
  EXPECT_FALSE(run_probe({.what = DnsProbe{.server = "", .name = "a..b"}}));
}

}  // namespace
}  // namespace heddle::traffic
