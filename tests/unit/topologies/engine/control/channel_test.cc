#include "topologies/engine/control/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace heddle::control {
namespace {

using namespace std::chrono_literals;

struct Pair {
  UniqueFd a;
  UniqueFd b;
};
Pair make_pair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

TEST(Channel, FramesComeBackWhole) {
  const Pair pair = make_pair();
  ASSERT_TRUE(write_frame(pair.a.get(), "hello", after(1s)));
  ASSERT_TRUE(write_frame(pair.a.get(), "", after(1s)));
  EXPECT_EQ(*read_frame(pair.b.get(), 10, after(1s)), "hello");
  EXPECT_EQ(*read_frame(pair.b.get(), 10, after(1s)), "");
}

TEST(Channel, AFrameLargerThanTheBoundIsRefusedBeforeItIsRead) {
  const Pair pair = make_pair();
  const unsigned char huge[4] = {0xff, 0xff, 0xff, 0xff};
  ASSERT_EQ(::write(pair.a.get(), huge, 4), 4);
  EXPECT_EQ(read_frame(pair.b.get(), 1000, after(1s)).error().code(), Errc::invalid);
}

TEST(Channel, ATruncatedFrameIsAnError) {
  Pair pair = make_pair();
  const unsigned char part[6] = {0, 0, 0, 9, 'a', 'b'};
  ASSERT_EQ(::write(pair.a.get(), part, 6), 6);
  pair.a.reset();
  EXPECT_EQ(read_frame(pair.b.get(), 1000, after(1s)).error().code(), Errc::unavailable);
}

TEST(Channel, ASilentPeerTimesOut) {
  const Pair pair = make_pair();
  EXPECT_EQ(read_frame(pair.b.get(), 1000, after(0ms)).error().code(), Errc::timeout);
}

TEST(Channel, AClientIsAnsweredAndGarbageToo) {
  const std::string socket = "/tmp/heddle-channel-test-" + std::to_string(::getpid());
  auto server = Server::listen(socket, [](const Request& request, const Server::Gone&) {
    Reply reply;
    if (request.target == "nobody")
      reply.error = Error(Errc::not_found, "no such thing");
    else
      reply.result = ExecResult{.exit = 3,
                                .signal = 0,
                                .timed_out = false,
                                .time = 0ms,
                                .out = request.target,
                                .err = "",
                                .dropped_bytes = 0};
    return reply;
  });
  ASSERT_TRUE(server) << server.error().text();
  std::thread([raw = server->get()] { raw->run(); }).detach();  // ends with the program
  const Client client(socket);
  const auto reply = client.ask({.op = Op::exec, .target = "h1"});
  ASSERT_TRUE(reply) << reply.error().text();
  EXPECT_EQ(reply->result->out, "h1");
  EXPECT_EQ(client.ask({.op = Op::exec, .target = "nobody"}).error().code(), Errc::not_found);
  EXPECT_TRUE(client.answers());
  ::unlink(socket.c_str());
  (void)server->release();  // its thread still accepts
}

TEST(Channel, NobodyListeningIsUnavailable) {
  EXPECT_EQ(Client("/tmp/heddle-no-such-socket").ask({}).error().code(), Errc::unavailable);
}

}  // namespace
}  // namespace heddle::control
