#include "topologies/labd/event_log.h"

#include <algorithm>

namespace heddle::labd {
namespace {

using namespace std::chrono_literals;

constexpr auto kAskEvery = 100ms;  // how often a waiting reader is asked whether it is still there

std::int64_t unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Never inside a character (RFC 3629): what is sent is JSON.
void cut(std::string& text, std::size_t most) {
  if (text.size() <= most) return;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  text.resize(most);
}

}  // namespace

void EventLog::add(std::string kind, std::string subject, std::string text) {
  cut(kind, kMaxText);
  cut(subject, kMaxText);
  cut(text, kMaxText);
  std::lock_guard lock(mutex_);
  events_.push_back({.number = ++last_,
                     .unix_ms = unix_ms(),
                     .kind = std::move(kind),
                     .subject = std::move(subject),
                     .text = std::move(text)});
  if (events_.size() > kMaxEvents) events_.pop_front();
  added_.notify_all();
}

std::vector<control::Event> EventLog::copy(std::uint64_t number) const {
  const auto first = std::ranges::upper_bound(events_, number, {}, &control::Event::number);
  const auto count = std::min<std::ptrdiff_t>(events_.end() - first, kBatch);
  return {first, first + count};
}

std::vector<control::Event> EventLog::after(std::uint64_t number, Deadline deadline,
                                            const std::function<bool()>& gone) {
  std::unique_lock lock(mutex_);
  if (number > last_) number = 0;
  for (;;) {
    auto events = copy(number);
    if (!events.empty() || std::chrono::steady_clock::now() >= deadline) return events;
    added_.wait_until(lock, std::min(deadline, heddle::after(kAskEvery)));
    if (last_ > number) continue;
    lock.unlock();
    const bool nobody = gone();
    lock.lock();
    if (nobody) return {};
  }
}

}  // namespace heddle::labd
