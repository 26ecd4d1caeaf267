#include "topologies/engine/relay/relay.h"

#include <linux/if_packet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "dataplane/netns/netns.h"

namespace heddle::relay {
namespace {

constexpr std::uint64_t kShortestSleep = 50'000;  // ns: how finely time is cut
constexpr std::size_t kBatch = 64;                // packets a system call
constexpr int kSendBuffer = 1 << 30;  // bytes: what waits in a device's queue must not stop others
constexpr int kPriority = 10;

std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

Result<UniqueFd> open_sender(int netns_fd) {
  UniqueFd sender;
  TRY_DO(netns::run_in(netns_fd, [&]() -> Result<> {
    sender.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // protocol 0: receives nothing
    if (!sender) return fail_errno(errno, "open a packet socket");
    return {};
  }));
  if (::setsockopt(sender.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer) < 0)
    return fail_errno(errno, "enlarge the packet socket's buffer");
  return sender;
}

bool become_realtime(std::thread& thread) {
  sched_param parameters{};
  parameters.sched_priority = kPriority;
  return ::pthread_setschedparam(thread.native_handle(), SCHED_FIFO, &parameters) == 0;
}

}  // namespace

Relay::Relay(Ring ring, UniqueFd sender, UniqueFd stop, std::uint64_t* wakes_at)
    : ring_(std::move(ring)),
      sender_(std::move(sender)),
      stop_(std::move(stop)),
      wakes_at_(*wakes_at) {}

Result<std::unique_ptr<Relay>> Relay::start(int netns_fd, Source source) {
  TRY(Ring ring, Ring::open(source.ring_fd));
  TRY(UniqueFd sender, open_sender(netns_fd));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return fail_errno(errno, "make an eventfd");
  std::unique_ptr<Relay> relay(
      new Relay(std::move(ring), std::move(sender), std::move(stop), source.wakes_at));
  try {
    relay->thread_ = std::thread([raw = relay.get()] { raw->run(); });
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start the relay's thread");
  }
  const bool realtime = become_realtime(relay->thread_);
  const std::lock_guard lock(relay->mutex_);
  relay->report_.realtime = realtime;
  return relay;
}

Relay::~Relay() {
  stopping_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = ::write(stop_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void Relay::put(std::uint32_t from, const Schedule::Direction& direction) {
  const std::lock_guard lock(mutex_);
  schedule_.put(from, direction);
}
void Relay::remove(std::uint32_t from) {
  const std::lock_guard lock(mutex_);
  schedule_.remove(from);
}
Report Relay::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}
Schedule::Counts Relay::counts(std::uint32_t from) const {
  const std::lock_guard lock(mutex_);
  return schedule_.counts(from);
}

void Relay::run() {
  ::prctl(PR_SET_NAME, "relay");
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  while (!stopping_) {
    fetch();
    send_due();
    sleep();
  }
}

void Relay::fetch() {
  const std::lock_guard lock(mutex_);
  ring_.consume([this](const heddle_wire_record& record, const std::byte* payload) {
    schedule_.accept(record, payload);
  });
}

void Relay::send_due() {
  for (;;) {
    due_.clear();
    {
      const std::lock_guard lock(mutex_);
      schedule_.take_due(now_ns(), kBatch, due_);
    }
    if (due_.empty()) return;
    send(due_);
  }
}

void Relay::send(std::vector<Schedule::Due>& due) {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> parts;
  std::array<sockaddr_ll, kBatch> addresses{};
  for (std::size_t i = 0; i < due.size(); ++i) {
    const Frame& frame = due[i].frame;
    addresses[i].sll_family = AF_PACKET;
    addresses[i].sll_ifindex = static_cast<int>(frame.to);
    parts[i] = {frame.data.get(), frame.bytes};
    messages[i].msg_hdr.msg_name = &addresses[i];
    messages[i].msg_hdr.msg_namelen = sizeof addresses[i];
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  std::uint64_t refused = 0;
  for (std::size_t at = 0; at < due.size();) {
    const int sent = ::sendmmsg(sender_.get(), messages.data() + at,
                                static_cast<unsigned>(due.size() - at), MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    refused += sent <= 0;  // its first packet: by a device that is down or full
    at += sent > 0 ? static_cast<std::size_t>(sent) : 1;
  }
  const std::uint64_t now = now_ns();
  const std::lock_guard lock(mutex_);
  report_.refused += refused;
  report_.sent += due.size() - refused;
  for (const Schedule::Due& one : due) report_.late.add(std::chrono::nanoseconds(now - one.due_ns));
}

// Until the next packet is due, or until the program wakes us for one that is due before.
void Relay::sleep() {
  bool waits = false;
  std::uint64_t wake = 0;
  const std::uint64_t now = now_ns();
  {
    const std::lock_guard lock(mutex_);
    waits = !schedule_.empty();
    if (waits) wake = std::max(schedule_.next_due(), now + kShortestSleep);
  }
  wakes_at_.store(waits ? wake : 0, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // Begun before the program could see when we wake: look again at once.
  if (!ring_.has_more()) {
    std::array<pollfd, 2> polled{pollfd{ring_.fd(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
    const std::uint64_t left = wake > now ? wake - now : 0;
    const timespec timeout{static_cast<time_t>(left / 1'000'000'000),
                           static_cast<long>(left % 1'000'000'000)};
    ::ppoll(polled.data(), polled.size(), waits ? &timeout : nullptr, nullptr);
  }
  wakes_at_.store(1, std::memory_order_relaxed);  // awake: nobody need wake us
}

}  // namespace heddle::relay
