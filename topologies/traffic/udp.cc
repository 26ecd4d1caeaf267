#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>

#include "topologies/traffic/loads.h"
#include "topologies/traffic/measure.h"
#include "topologies/traffic/report.h"
#include "topologies/traffic/socket.h"

namespace heddle::traffic {
namespace {

namespace json = boost::json;
using SteadyClock = std::chrono::steady_clock;

// What both directions carry. Only these two programs read it, on machines of one byte order.
struct Packet {
  std::uint64_t magic;
  std::uint64_t flow;         // told apart by the echo
  std::uint64_t number;       // of the sender, from 0
  std::uint64_t echo_number;  // of the echo's answers to this flow, from 0
  std::int64_t sent_ns;
};
constexpr std::uint64_t kMagic = 0x68656464'6c657564ULL;
constexpr std::size_t kMaxFlows = 10'000;

std::int64_t now_ns() {
  return SteadyClock::now().time_since_epoch().count();
}

class Flow {
 public:
  Flow(Loop& loop, const UdpFlow& options, UniqueFd fd)
      : loop_(loop),
        options_(options),
        fd_(std::move(fd)),
        start_(SteadyClock::now()),
        pace_(start_, options.rate),
        gaps_(start_),
        id_(static_cast<std::uint64_t>(now_ns())) {}

  int run() {
    loop_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
    loop_.every(Milliseconds(1), [this] { send_due(); });
    if (options_.duration.count() > 0)
      loop_.at(start_ + options_.duration, [this] { loop_.stop(); });
    loop_.run();
    last_send_ = SteadyClock::now();
    drain();
    return report();
  }

 private:
  void send_due() {
    const std::uint64_t due = pace_.due_by(SteadyClock::now());
    for (; sent_ < due; ++sent_) {
      const Packet packet{kMagic, id_, sent_, 0, now_ns()};
      // Counted as sent even if refused: an ICMP error is a loss like any other.
      if (::send(fd_.get(), &packet, sizeof packet, MSG_NOSIGNAL) < 0) ++send_errors_;
    }
  }

  void receive() {
    std::array<char, 2048> buffer;
    for (;;) {
      const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0 && errno != EAGAIN && errno != EINTR) ++receive_errors_;  // ICMP, cleared by this
      if (got < 0) return;
      Packet packet;
      if (got != sizeof packet) continue;
      std::memcpy(&packet, buffer.data(), sizeof packet);
      if (packet.magic != kMagic || packet.flow != id_) continue;
      answers_.arrived(packet.number);
      echoed_.arrived(packet.echo_number);
      gaps_.success(SteadyClock::now());
      latencies_.add(std::chrono::nanoseconds(now_ns() - packet.sent_ns));
    }
  }

  // Waits for the answers still under way; returns early when none is missing.
  void drain() {
    const Time end = last_send_ + options_.drain;
    while (answers_.unique() < sent_ && SteadyClock::now() < end) {
      ::timespec pause{0, 1'000'000};
      ::nanosleep(&pause, nullptr);
      receive();
    }
  }

  int report() {
    const std::uint64_t lost = sent_ - answers_.unique();
    // The echo numbers what it got: what it answered and did not arrive was lost on the way back.
    const std::uint64_t lost_back = echoed_.highest_plus_one() - echoed_.unique();
    const Milliseconds gap = gaps_.longest(last_send_);
    json::object out{
        {"to", options_.to},
        {"sent", sent_},
        {"received", answers_.unique()},
        {"lost", lost},
        {"lost_there", lost > lost_back ? lost - lost_back : 0},
        {"lost_back", lost_back},
        {"duplicates", answers_.duplicates()},
        {"reordered", answers_.reordered()},
        {"send_errors", send_errors_},
        {"receive_errors", receive_errors_},
        {"longest_gap_ms", gap.count()},
        {"round_trip_ms", to_json(latencies_)},
        {"time_ms", std::chrono::duration_cast<Milliseconds>(last_send_ - start_).count()}};
    return conclude(std::move(out), options_.limits, lost, gap);
  }

  Loop& loop_;
  const UdpFlow& options_;
  UniqueFd fd_;
  const Time start_;
  Time last_send_;
  Pace pace_;
  Gaps gaps_;
  Latencies latencies_;
  Sequence answers_;
  Sequence echoed_;
  const std::uint64_t id_;
  std::uint64_t sent_ = 0;
  std::uint64_t send_errors_ = 0;
  std::uint64_t receive_errors_ = 0;
};

}  // namespace

Result<int> run_udp_flow(const UdpFlow& options) {
  TRY(const SocketAddr to, resolve(options.to));
  TRY(UniqueFd fd, connect_udp(to));
  TRY(const auto loop, Loop::create());
  return Flow(*loop, options, std::move(fd)).run();
}

Result<int> run_udp_echo(const UdpEcho& options) {
  TRY(const UniqueFd fd, bind_udp(options.port));
  TRY(const auto loop, Loop::create());
  std::map<std::uint64_t, std::uint64_t> counts;
  std::uint64_t answered = 0;
  loop->watch(fd.get(), EPOLLIN, [&](std::uint32_t) {
    std::array<char, 2048> buffer;
    for (;;) {
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      const ssize_t got = ::recvfrom(fd.get(), buffer.data(), buffer.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &length);
      if (got < 0) return;
      Packet packet;
      if (got != sizeof packet) continue;
      std::memcpy(&packet, buffer.data(), sizeof packet);
      if (packet.magic != kMagic) continue;
      if (counts.size() >= kMaxFlows && !counts.contains(packet.flow)) continue;
      packet.echo_number = counts[packet.flow]++;
      ::sendto(fd.get(), &packet, sizeof packet, MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&from), length);
      ++answered;
    }
  });
  loop->run();
  const json::object out{{"answered", answered}, {"flows", counts.size()}};
  std::cout << json::serialize(out) << std::endl;
  return 0;
}

}  // namespace heddle::traffic
