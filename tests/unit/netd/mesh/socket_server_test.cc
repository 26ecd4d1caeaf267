// The server over its real socket. The other side of the boundary, proxy/control/socket_fetch.cc,
// meets it in tests/peer/mesh.
#include "netd/mesh/socket_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace heddle::mesh {
namespace {

using testing::HasSubstr;

ino_t inode_of(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

class SocketServerTest : public testing::Test {
 protected:
  SocketServerTest() {
    char path[] = "/tmp/heddle-sockets-XXXXXX";
    dir_ = ::mkdtemp(path);
    path_ = dir_ + "/proxy.sock.sockets";
    kept_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto server = SocketServer::start(
        {.path = path_,
         .uid = ::geteuid(),
         .find = [this](const Peer& peer, const SocketQuestion& question) -> Result<UniqueFd> {
           if (peer.pid != ::getpid()) return fail(Errc::denied, "a stranger");
           if (question != SocketQuestion{"c11e", "outbound:4711"})
             return fail(Errc::not_found, "no such socket as " + question.name);
           return UniqueFd(::fcntl(kept_.get(), F_DUPFD_CLOEXEC, 3));
         }});
    server_ = *std::move(server);
  }
  ~SocketServerTest() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }

  UniqueFd dial() const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  struct Answer {
    std::string text;
    UniqueFd fd;
  };
  Answer ask(std::string_view question) const {
    const UniqueFd fd = dial();
    EXPECT_EQ(::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(question.size()));
    char text[600];
    iovec part{text, sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(fd.get(), &message, MSG_CMSG_CLOEXEC);
    Answer answer;
    if (n > 0) answer.text.assign(text, static_cast<std::size_t>(n));
    if (const cmsghdr* rights = CMSG_FIRSTHDR(&message)) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(rights), sizeof number);
      answer.fd.reset(number);
    }
    return answer;
  }

  std::string dir_, path_;
  UniqueFd kept_;
  std::unique_ptr<SocketServer> server_;
};

TEST_F(SocketServerTest, TheSocketItselfArrives) {
  const Answer answer = ask("c11e\noutbound:4711");
  EXPECT_EQ(answer.text, "ok");
  EXPECT_EQ(inode_of(answer.fd.get()), inode_of(kept_.get()));
}

TEST_F(SocketServerTest, WhatIsNotGivenIsSaid) {
  const Answer answer = ask("c11e\nother");
  EXPECT_THAT(answer.text, HasSubstr("no such socket as other"));
  EXPECT_FALSE(answer.fd);
}

TEST_F(SocketServerTest, MalformedQuestionsAreRefused) {
  for (const std::string_view question : {"c11e", "\noutbound", "c11e\n", "c11e\na\nb"}) {
    const Answer answer = ask(question);
    EXPECT_THAT(answer.text, HasSubstr("socket's name")) << question;
    EXPECT_FALSE(answer.fd);
  }
  EXPECT_THAT(ask("c11e\n" + std::string(400, 'a')).text, HasSubstr("1 to 255 bytes"));
}

TEST_F(SocketServerTest, OneThatAsksNothingDoesNotHoldUpTheNextForLong) {
  const UniqueFd silent = dial();
  EXPECT_EQ(ask("c11e\noutbound:4711").text, "ok");
}

TEST_F(SocketServerTest, OnlyItsUserMayConnect) {
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(info.st_uid, ::geteuid());
}

}  // namespace
}  // namespace heddle::mesh
