#include "topologies/engine/capture/capture.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "common/base/clock.h"
#include "common/net/link.h"
#include "topologies/engine/format/reader.h"
#include "topologies/engine/plan/paths.h"

namespace heddle::capture {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Why = Summary::Why;

constexpr int kDrain = 10'000;  // batches
constexpr std::chrono::milliseconds kLookAgain{500};

std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

// Errors: `cancelled` when nobody reads any more.
Result<> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EPIPE) return fail(Errc::cancelled, "nobody reads the capture");
    if (wrote <= 0) return fail_errno(wrote < 0 ? errno : ENOSPC, "write the capture");
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

class Capture {
 public:
  Capture(Tap tap, const Limits& limits, const Descriptors& descriptors)
      : tap_(std::move(tap)), limits_(limits), descriptors_(descriptors) {}

  Result<Summary> run(const Place& place) {
    totals_.start_ns = now_ns();
    end_ = SteadyClock::now() + limits_.time.value_or(std::chrono::milliseconds(0));
    auto written = write_all(descriptors_.output, format_header({.name = place.name,
                                                                 .link_type = tap_.link_type(),
                                                                 .snaplen = limits_.snaplen}));
    if (written) written = follow();
    if (!written && written.error().code() == Errc::cancelled) {
      summary_.why = Why::reader_gone;
    } else if (!written) {
      return std::unexpected(std::move(written).error());
    }
    summary_.dropped = tap_.dropped();
    return summary_;
  }

 private:
  Result<> follow() {
    for (;;) {
      if (limits_.count && summary_.packets >= *limits_.count) return finish(Why::count);
      const auto wait = next_wait();
      if (limits_.time && wait.count() <= 0) return finish(Why::time);
      std::array<pollfd, 3> polled{pollfd{tap_.fd(), POLLIN, 0},
                                   pollfd{descriptors_.stop, POLLIN, 0},
                                   pollfd{descriptors_.output, 0, 0}};
      const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(wait.count()));
      if (ready < 0 && errno != EINTR) return fail_errno(errno, "poll");
      if (polled[1].revents & POLLIN) return stop();
      if (polled[2].revents & POLLERR) return fail(Errc::cancelled, "nobody reads the capture");
      TRY(const std::size_t took, take());
      if (took == 0 && tap_.gone()) return finish(Why::link_gone);
    }
  }

  // At most until the next look whether the link is still there.
  std::chrono::milliseconds next_wait() const {
    if (!limits_.time) return kLookAgain;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - SteadyClock::now());
    return std::min(left, kLookAgain);
  }

  // With what came before.
  Result<> stop() {
    for (int i = 0; i < kDrain; ++i) {
      TRY(const std::size_t took, take());
      if (took == 0) break;
    }
    return finish(Why::stopped);
  }

  // Gives how many packets there were.
  Result<std::size_t> take() {
    TRY(const std::vector<Packet> packets, tap_.read());
    block_.clear();
    for (const Packet& packet : packets) {
      if (limits_.count && summary_.packets >= *limits_.count) break;
      append_packet(block_, packet);
      ++summary_.packets;
    }
    TRY_DO(write_all(descriptors_.output, block_));
    return packets.size();
  }

  Result<> finish(Why why) {
    summary_.why = why;
    totals_.end_ns = now_ns();
    totals_.received = summary_.packets;
    totals_.dropped = tap_.dropped();
    return write_all(descriptors_.output, format_totals(totals_));
  }

  Tap tap_;
  const Limits& limits_;
  const Descriptors& descriptors_;
  Summary summary_;
  Totals totals_;
  SteadyClock::time_point end_;  // with a limit of time
  std::string block_;
};

std::string nearest_of(const std::string& word, const std::vector<std::string>& candidates) {
  const std::vector<std::string_view> views(candidates.begin(), candidates.end());
  return format::suggestion(word, views);
}

// A bridge's port is in the lab's switch, under a name of both.
Result<Place> find_port(const std::string& link, const std::string& node,
                        const std::string& interface, const control::LabStatus& status,
                        const std::string& switch_netns) {
  const std::string port = plan::short_name(node + "-" + interface, kMaxIfName);
  const auto ports = interfaces_of(switch_netns);
  if (ports && std::ranges::find(*ports, port) != ports->end())
    return Place{.name = link, .netns = switch_netns, .interface = port};
  std::vector<std::string> names;
  for (const control::MemberStatus& member : status.members) names.push_back(member.name);
  return fail(Errc::not_found, "lab " + status.name + " has no host or node \"" + node +
                                   "\", and no bridge of that name with a port \"" + interface +
                                   "\"" + nearest_of(node, names));
}

}  // namespace

Result<Place> find_place(const std::string& link, const control::LabStatus& status,
                         const std::string& switch_netns) {
  const std::size_t colon = link.find(':');
  const std::string node = link.substr(0, colon);
  const std::string interface = colon == std::string::npos ? "" : link.substr(colon + 1);
  const auto member = std::ranges::find(status.members, node, &control::MemberStatus::name);
  if (member == status.members.end()) return find_port(link, node, interface, status, switch_netns);
  if (member->state == "down")
    return fail(Errc::unavailable, node + " is down (its power was cut); start it first");
  TRY(std::vector<std::string> interfaces,
      interfaces_of(member->netns).during("look into " + node));
  std::erase(interfaces, "lo");
  if (interface.empty() && member->address.empty()) {
    std::string all;
    for (const std::string& one : interfaces) all += (all.empty() ? "" : ", ") + (node + ":" + one);
    return fail(Errc::not_found, node + " is not joined to the underlay; name its interface: " +
                                     (all.empty() ? "it has none" : all));
  }
  const std::string wanted = interface.empty() ? "eth0" : plan::short_name(interface, kMaxIfName);
  if (wanted != "lo" && std::ranges::find(interfaces, wanted) == interfaces.end())
    return fail(Errc::not_found,
                node + " has no interface \"" + interface + "\"" + nearest_of(wanted, interfaces));
  return Place{.name = node + ":" + wanted, .netns = member->netns, .interface = wanted};
}

Result<Summary> capture(const Place& place, const Limits& limits, const Descriptors& descriptors) {
  TRY(Tap tap, Tap::open(place, limits.snaplen).during("capture " + place.name));
  return Capture(std::move(tap), limits, descriptors).run(place);
}

}  // namespace heddle::capture
