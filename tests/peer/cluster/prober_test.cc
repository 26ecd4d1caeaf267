#include "netd/cluster/prober.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/base/unique_fd.h"
#include "ebpf/abi/probe.h"

namespace heddle::cluster {
namespace {

// Answers probes on loopback as a peer's eBPF program does.
class Responder {
 public:
  explicit Responder(std::uint64_t epoch)
      : epoch_(epoch), fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Responder() {
    stopping_ = true;
    ::shutdown(fd_.get(), SHUT_RD);
    thread_.join();
  }
  std::uint16_t port() const { return port_; }
  std::atomic<bool> answering = true;

 private:
  void run() {
    while (!stopping_) {
      heddle_probe_packet packet{};
      sockaddr_in from{};
      ::socklen_t size = sizeof from;
      const ::ssize_t count = ::recvfrom(fd_.get(), &packet, sizeof packet, 0,
                                         reinterpret_cast<sockaddr*>(&from), &size);
      if (count != static_cast<::ssize_t>(sizeof packet) || !answering) continue;
      EXPECT_EQ(packet.vxlan.flags, HEDDLE_VXLAN_FLAG_VNI);
      EXPECT_EQ(packet.probe.magic, htonl(HEDDLE_PROBE_MAGIC));
      EXPECT_EQ(packet.probe.kind, HEDDLE_PROBE_REQUEST);
      EXPECT_EQ(packet.probe.epoch, 0u);
      packet.probe.kind = HEDDLE_PROBE_REPLY;
      packet.probe.epoch = htobe64(epoch_);
      ::sendto(fd_.get(), &packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  const std::uint64_t epoch_;
  UniqueFd fd_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

TEST(Prober, FollowsAPeerThatFallsSilentAndComesBack) {
  Responder responder(7);
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<std::set<model::Id>> last;
  const auto wait_for = [&](const std::set<model::Id>& wanted) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), [&] { return last == wanted; });
  };
  const IpAddr loopback = IpAddr::v4(0x7f000001);
  auto prober = Prober::start({loopback, responder.port(), std::chrono::milliseconds(20), 5, 2},
                              [&](std::set<model::Id> unreachable) {
                                const std::lock_guard lock(mutex);
                                last = std::move(unreachable);
                                changed.notify_all();
                              });
  ASSERT_TRUE(prober) << prober.error().text();
  (*prober)->set_peers({{"a", loopback, 7}, {"b", IpAddr::v4(0x7f000002), 7}});
  EXPECT_TRUE(wait_for({"b"}));
  responder.answering = false;
  EXPECT_TRUE(wait_for({"a", "b"}));
  responder.answering = true;
  EXPECT_TRUE(wait_for({"b"}));
  (*prober)->set_peers({{"a", loopback, 8}});
  EXPECT_TRUE(wait_for({"a"}));
}

TEST(Prober, AForeignSourceAddressIsAnError) {
  const auto prober = Prober::start({IpAddr::v4(0xc0000201), 4789}, [](std::set<model::Id>) {});
  ASSERT_FALSE(prober);
  EXPECT_THAT(prober.error().text(), testing::HasSubstr("192.0.2.1"));
}

}  // namespace
}  // namespace heddle::cluster
