#include "dataplane/netns/netns.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/support/host/private_host.h"

namespace heddle::netns {
namespace {

class Netns : public ::testing::Test {
 protected:
  std::string path(const std::string& name) { return host_.directory() + "/" + name; }
  UniqueFd created(const std::string& name) {
    auto fd = open(host_.add_sandbox(name));
    EXPECT_TRUE(fd);
    return *std::move(fd);
  }

  host::PrivateHost host_;
};

TEST_F(Netns, ANewNamespaceHasLoopbackUpAndNothingElse) {
  const std::string sandbox = host_.add_sandbox("c1");
  EXPECT_EQ(host::run_in(sandbox, "ip -o link | wc -l"), "1");
  host::run_in(sandbox, "ping -c 1 -W 1 127.0.0.1");
}

TEST_F(Netns, CreatingTwiceIsRefusedAndRemovingTwiceIsNot) {
  ASSERT_TRUE(create(path("c1")));
  const auto again = create(path("c1"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::exists);
  EXPECT_TRUE(remove(path("c1")));
  EXPECT_TRUE(remove(path("c1")));
  EXPECT_NE(::access(path("c1").c_str(), F_OK), 0);
  EXPECT_TRUE(create(path("c1")));
  EXPECT_TRUE(remove(path("c1")));
}

TEST_F(Netns, AnEmptyFileLeftByACrashIsUsedAndAFullOneIsNot) {
  std::ofstream(path("left")).close();
  EXPECT_TRUE(create(path("left")));
  EXPECT_TRUE(remove(path("left")));
  std::ofstream(path("precious")) << "data";
  EXPECT_EQ(create(path("precious")).error().code(), Errc::exists);
  EXPECT_EQ(remove(path("precious")).error().code(), Errc::invalid);
  EXPECT_EQ(::access(path("precious").c_str(), F_OK), 0);
  ASSERT_EQ(::mkdir(path("folder").c_str(), 0755), 0);
  EXPECT_EQ(create(path("folder")).error().code(), Errc::exists);
  EXPECT_EQ(remove(path("folder")).error().code(), Errc::invalid);
}

TEST_F(Netns, OpenTellsAbsenceFromAnotherKindOfFile) {
  EXPECT_EQ(open(path("nowhere")).error().code(), Errc::not_found);
  EXPECT_EQ(open("/dev/null/c1").error().code(), Errc::not_found);
  EXPECT_EQ(open("/dev/null").error().code(), Errc::invalid);
  EXPECT_EQ(open("/proc/self/ns/mnt").error().code(), Errc::invalid);
  EXPECT_EQ(open("/proc/999999999/ns/net").error().code(), Errc::not_found);
  EXPECT_TRUE(open("/proc/self/ns/net"));
}

TEST_F(Netns, ACookieIsOfTheNamespaceNotOfItsPath) {
  const UniqueFd a = created("a");
  const UniqueFd b = created("b");
  const auto first = open(path("a"));
  EXPECT_EQ(cookie(a.get()).value(), cookie(first->get()).value());
  EXPECT_NE(cookie(a.get()).value(), cookie(b.get()).value());
  EXPECT_TRUE(same(a.get(), first->get()));
  EXPECT_FALSE(same(a.get(), b.get()));
  const auto before = cookie(a.get()).value();
  host_.remove_sandbox(path("a"));
  ASSERT_TRUE(create(path("a")));
  EXPECT_NE(cookie(open(path("a"))->get()).value(), before);
}

TEST_F(Netns, WorkRunsInsideAndTheCallerStaysOutside) {
  const UniqueFd sandbox = created("c1");
  const auto here = own_cookie().value();
  std::uint64_t there = 0;
  EXPECT_TRUE(run_in(sandbox.get(), [&]() -> Result<> {
    TRY(there, own_cookie());
    return {};
  }));
  EXPECT_EQ(there, cookie(sandbox.get()).value());
  EXPECT_EQ(own_cookie().value(), here);
}

TEST_F(Netns, FailuresOfTheWorkComeBack) {
  const UniqueFd sandbox = created("c1");
  const auto failed =
      run_in(sandbox.get(), []() -> Result<> { return fail(Errc::exhausted, "full"); });
  EXPECT_EQ(failed.error().text(), "full");
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(run_in(file.get(), []() -> Result<> { return {}; }).error().code(), Errc::invalid);
}

TEST_F(Netns, EachNamespaceIsVisitedInOrderUntilAFailure) {
  const UniqueFd a = created("a");
  const UniqueFd b = created("b");
  std::vector<std::uint64_t> seen;
  EXPECT_TRUE(run_in_each({a.get(), b.get(), a.get()}, [&](std::size_t i) -> Result<> {
    EXPECT_EQ(i, seen.size());
    TRY(seen.emplace_back(), own_cookie());
    return {};
  }));
  EXPECT_THAT(seen, ::testing::ElementsAre(cookie(a.get()).value(), cookie(b.get()).value(),
                                           cookie(a.get()).value()));
  int visits = 0;
  EXPECT_FALSE(run_in_each({a.get(), b.get()}, [&](std::size_t) -> Result<> {
    ++visits;
    return fail(Errc::internal, "stop");
  }));
  EXPECT_EQ(visits, 1);
}

TEST_F(Netns, SocketsStayInTheirNamespaceAfterItsPinIsGone) {
  const UniqueFd sandbox = created("c1");
  const SocketAddr address{IpAddr::v4(0x7f000001), 15006};
  auto listener = listen_tcp(sandbox.get(), address);
  ASSERT_TRUE(listener) << listener.error().text();
  EXPECT_EQ(listen_tcp(sandbox.get(), address).error().code(), Errc::exists);
  const int flags = ::fcntl(listener->get(), F_GETFL);
  EXPECT_TRUE(flags & O_NONBLOCK);
  EXPECT_TRUE(::fcntl(listener->get(), F_GETFD) & FD_CLOEXEC);
  std::uint64_t owner = 0;
  socklen_t size = sizeof owner;
  ASSERT_EQ(::getsockopt(listener->get(), SOL_SOCKET, SO_NETNS_COOKIE, &owner, &size), 0);
  EXPECT_EQ(owner, cookie(sandbox.get()).value());

  const SocketAddr dns{IpAddr::v4(0x7f00000b), 53};
  EXPECT_TRUE(bind_udp(sandbox.get(), dns));
  EXPECT_TRUE(listen_tcp(sandbox.get(), dns));
  EXPECT_TRUE(listen_tcp(sandbox.get(), {IpAddr::v6({}), 80}));
  EXPECT_TRUE(connect_tcp(sandbox.get(), dns));
  const IpAddr one6 = IpAddr::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  EXPECT_TRUE(connect_tcp(sandbox.get(), {one6, 80}));
  EXPECT_EQ(connect_tcp(sandbox.get(), {IpAddr::v4(0xc0000201), 80}).error().sys_errno(),
            ENETUNREACH);
  EXPECT_EQ(bind_udp(sandbox.get(), {IpAddr::v4(0xc0000201), 53}).error().code(), Errc::not_found);
}

TEST_F(Netns, ANamespaceUsedByManyThreadsAtOnce) {
  const UniqueFd sandbox = created("c1");
  const auto expected = cookie(sandbox.get()).value();
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) right += cookie(sandbox.get()).value() == expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 320);
}

}  // namespace
}  // namespace heddle::netns
