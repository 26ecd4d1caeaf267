#include "netd/holder/keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "netd/holder/process/server.h"
#include "netd/holder/process_keeper.h"

namespace heddle::holder {
namespace {

using testing::HasSubstr;

// ctest says where programs are; by hand they are beside the tests' directory.
std::string bin_dir() {
  if (const char* bin = std::getenv("HEDDLE_BIN")) return bin;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin";
}

// A directory of its own, gone at the end; the holder process too.
class KeeperTest : public testing::Test {
 protected:
  KeeperTest() {
    char path[] = "/tmp/heddle-keeper-XXXXXX";
    dir_ = ::mkdtemp(path);
    settings_.binary = bin_dir() + "/heddle-holder";
    settings_.socket = dir_ + "/holder.sock";
  }
  ~KeeperTest() override {
    if (auto keeper = ProcessKeeper::open(settings_)) (void)(*keeper)->shut();
    std::filesystem::remove_all(dir_);
  }
  std::unique_ptr<Keeper> open() {
    auto keeper = ProcessKeeper::open(settings_);
    EXPECT_TRUE(keeper) << keeper.error().text();
    return keeper ? std::move(*keeper) : nullptr;
  }
  // A raw connection, for messages that our client would not send.
  UniqueFd raw() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, settings_.socket.c_str());
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static int answer(int fd) {
    Reply reply{};
    EXPECT_EQ(::recv(fd, &reply, sizeof reply, 0), static_cast<ssize_t>(sizeof reply));
    return reply.sys_errno;
  }

  std::string dir_;
  Settings settings_;
};

UniqueFd pipe_holding(const std::string& text) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  EXPECT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(ends[1]);
  return UniqueFd(ends[0]);
}

std::string read_text(int fd) {
  char buffer[64];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  return {buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
}

TEST_F(KeeperTest, WhatOneDaemonKeptTheNextTakes) {
  {
    auto first = open();
    ASSERT_TRUE(first->put("proxy/abc/outbound", pipe_holding("one").get()));
    ASSERT_TRUE(first->put("dns/udp:53", pipe_holding("two").get()));
  }
  auto all = open()->take_all();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(read_text(all->at("proxy/abc/outbound").get()), "one");
  EXPECT_EQ(read_text(all->at("dns/udp:53").get()), "two");
}

TEST_F(KeeperTest, AnEqualNameIsReplacedAndADroppedOneIsGone) {
  auto keeper = open();
  ASSERT_TRUE(keeper->put("a", pipe_holding("old").get()));
  ASSERT_TRUE(keeper->put("a", pipe_holding("new").get()));
  ASSERT_TRUE(keeper->put("b", pipe_holding("b").get()));
  ASSERT_TRUE(keeper->drop("b"));
  EXPECT_TRUE(keeper->drop("b")) << "absence is success";
  auto all = keeper->take_all();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(read_text(all->at("a").get()), "new");
}

TEST_F(KeeperTest, SeveralPagesAreTakenWhole) {
  auto keeper = open();
  const UniqueFd fd = pipe_holding("x");
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(keeper->put("n" + std::to_string(i), fd.get()));
  for (int i = 0; i < 200; i += 3) ASSERT_TRUE(keeper->drop("n" + std::to_string(i)));
  auto all = keeper->take_all();
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 133u);
  EXPECT_TRUE(all->contains("n199"));
  EXPECT_FALSE(all->contains("n198"));
}

TEST_F(KeeperTest, BadNamesAreRefusedWithWhatIsAllowed) {
  auto keeper = open();
  const UniqueFd fd = pipe_holding("x");
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a\n"),
                                  std::string(129, 'a'), std::string("h=x")}) {
    const auto put = keeper->put(name, fd.get());
    ASSERT_FALSE(put) << name;
    EXPECT_EQ(put.error().code(), Errc::invalid);
    EXPECT_THAT(put.error().text(), HasSubstr("1 to 128"));
  }
  EXPECT_TRUE(keeper->put(std::string(128, 'a'), fd.get()));
}

TEST_F(KeeperTest, SocketIsForItsOwnerAlone) {
  auto keeper = open();
  struct stat info{};
  ASSERT_EQ(::stat(settings_.socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(KeeperTest, SecondHolderOnTheSameSocketRefuses) {
  auto keeper = open();
  process::Server second;
  const auto opened = second.open(settings_.socket);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Errc::in_use);
  EXPECT_TRUE(keeper->put("still", pipe_holding("here").get()));
}

TEST_F(KeeperTest, DaemonsThatStartAtOnceFindTheSameHolder) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      auto keeper = open();
      ASSERT_TRUE(keeper != nullptr);
      EXPECT_TRUE(keeper->put("n" + std::to_string(i), pipe_holding("x").get()));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(open()->take_all()->size(), 8u);
}

TEST_F(KeeperTest, ShutEndsTheProcessAndLeavesNoFiles) {
  auto keeper = open();
  ASSERT_TRUE(keeper->put("a", pipe_holding("x").get()));
  ASSERT_TRUE(keeper->shut());
  EXPECT_FALSE(std::filesystem::exists(settings_.socket));
  EXPECT_FALSE(std::filesystem::exists(settings_.socket + ".lock"));
  const auto put = keeper->put("a", pipe_holding("x").get());
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), Errc::unavailable);
  auto again = open()->take_all();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->empty()) << "a new holder starts empty";
}

TEST_F(KeeperTest, MalformedMessagesGetAnErrorAndChangeNothing) {
  auto keeper = open();
  ASSERT_TRUE(keeper->put("a", pipe_holding("kept").get()));
  UniqueFd fd = raw();
  Request good{kMagic, Command::drop, 0, 1, "a"};
  const auto send = [&](const void* data, std::size_t size) {
    ASSERT_EQ(::send(fd.get(), data, size, 0), static_cast<ssize_t>(size));
    EXPECT_EQ(answer(fd.get()), EINVAL);
  };
  send(&good, sizeof good - 1);
  char longer[sizeof good + 1] = {};
  std::memcpy(longer, &good, sizeof good);
  send(longer, sizeof longer);
  Request bad = good;
  bad.magic = 7;
  send(&bad, sizeof bad);
  bad = good;
  bad.name_length = 4000;
  send(&bad, sizeof bad);
  bad = good;
  bad.command = static_cast<Command>(99);
  send(&bad, sizeof bad);
  bad = good;
  bad.command = Command::put;  // without a descriptor
  send(&bad, sizeof bad);
  bad = {kMagic, Command::list, 4000000000u, 0, ""};
  send(&bad, sizeof bad);
  auto all = keeper->take_all();
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 1u);
}

TEST_F(KeeperTest, DescriptorsBesideOtherCommandsAreClosedNotKept) {
  auto keeper = open();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  Request request{kMagic, Command::drop, 0, 1, "a"};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  iovec part{&request, sizeof request};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(8 * sizeof(int));
  for (int i = 0; i < 8; ++i) std::memcpy(CMSG_DATA(c) + i * sizeof(int), &ends[1], sizeof(int));
  UniqueFd fd = raw();
  ASSERT_GT(::sendmsg(fd.get(), &message, 0), 0);
  EXPECT_EQ(answer(fd.get()), EINVAL);
  write_end.reset();
  char byte;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 0) << "all copies of the write end are closed";
}

TEST_F(KeeperTest, KilledHolderIsUnavailableThenStartedAgainAtOpen) {
  auto keeper = open();
  UniqueFd probe = raw();
  ucred peer{};
  socklen_t size = sizeof peer;
  ASSERT_EQ(::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
  EXPECT_EQ(::getsid(peer.pid), peer.pid) << "a session of its own";
  ASSERT_EQ(::kill(peer.pid, SIGKILL), 0);
  char byte;
  ASSERT_LE(::recv(probe.get(), &byte, 1, 0), 0);  // reset when it was not accepted yet
  const auto put = keeper->put("a", pipe_holding("x").get());
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), Errc::unavailable);
  EXPECT_TRUE(open()->put("a", pipe_holding("x").get()));
}

TEST_F(KeeperTest, MissingBinaryOrTooLongSocketPathIsNamed) {
  Settings bad = settings_;
  bad.binary = dir_ + "/absent";
  auto keeper = ProcessKeeper::open(bad);
  ASSERT_FALSE(keeper);
  EXPECT_THAT(keeper.error().text(), HasSubstr(bad.binary));
  bad = settings_;
  bad.socket = "/tmp/" + std::string(200, 'x');
  keeper = ProcessKeeper::open(bad);
  ASSERT_FALSE(keeper);
  EXPECT_EQ(keeper.error().code(), Errc::invalid);
  bad = settings_;
  bad.socket = dir_ + "/no/such/holder.sock";
  keeper = ProcessKeeper::open(bad);
  ASSERT_FALSE(keeper);
  EXPECT_THAT(keeper.error().text(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace heddle::holder
