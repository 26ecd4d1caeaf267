#include "dataplane/linux/reaper.h"

#include <chrono>
#include <system_error>
#include <utility>

namespace heddle::dataplane {
namespace {
// Set in the group of retired links, so never in a daemon's. Below 2^31, which is where ip(8)
// stops.
constexpr std::uint32_t kRetired = 0x20000000;
constexpr std::chrono::milliseconds kGather{25};
}  // namespace

Reaper::Reaper(netlink::Socket socket, std::uint32_t group)
    : socket_(std::move(socket)), group_(group | kRetired), retired_(1) {}

Result<std::unique_ptr<Reaper>> Reaper::start(std::uint32_t group) {
  if (group == 0 || group > 0x7fffffff || (group & kRetired) != 0)
    return fail(Errc::invalid, "link group " + std::to_string(group) +
                                   " is everybody's, negative, or that of retired links");
  TRY(auto socket, netlink::Socket::open());
  std::unique_ptr<Reaper> reaper(new Reaper(std::move(socket), group));
  try {
    reaper->thread_ = std::thread([raw = reaper.get()] { raw->run(); });
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a thread that deletes links");
  }
  return reaper;
}

Reaper::~Reaper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<> Reaper::retire(netlink::Socket& socket, IfIndex link) {
  TRY_DO(netlink::change_link(socket, link, {.group = group_, .up = false}));
  {
    const std::lock_guard lock(mutex_);
    ++retired_;
  }
  changed_.notify_all();
  return {};
}

void Reaper::discard(UniqueFd fd) {
  {
    const std::lock_guard lock(mutex_);
    discarded_.push_back(std::move(fd));
  }
  changed_.notify_all();
}

Result<bool> Reaper::finish() {
  std::unique_lock lock(mutex_);
  const bool waited = reaped_ != retired_;
  ++hurrying_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return reaped_ == retired_; });
  --hurrying_;
  if (!last_) return std::unexpected(std::exchange(last_, {}).error());
  return waited;
}

void Reaper::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || reaped_ != retired_ || !discarded_.empty(); });
    if (!discarded_.empty()) {
      auto discarded = std::exchange(discarded_, {});
      lock.unlock();
      discarded.clear();
      lock.lock();
      continue;
    }
    if (reaped_ == retired_) return;  // stopping
    changed_.wait_for(lock, kGather, [&] { return stopping_ || hurrying_ > 0; });
    const std::uint64_t until = retired_;
    lock.unlock();
    auto deleted = netlink::delete_group(socket_, group_);
    lock.lock();
    last_ = std::move(deleted);
    reaped_ = until;
    changed_.notify_all();
  }
}

}  // namespace heddle::dataplane
