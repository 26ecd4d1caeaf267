#include "netd/flows/flow_log.h"

#include <algorithm>
#include <utility>

namespace heddle::flows {

Result<FlowLog::Page> FlowLog::read(std::uint64_t after, std::uint32_t one_of,
                                    std::chrono::milliseconds patience) {
  if (ring_ == nullptr)
    return fail(Errc::unsupported,
                "flows are told by eBPF programs, which this host could not load; see `heddle "
                "system info`");
  const std::lock_guard lock(mutex_);
  TRY_DO(watch(one_of));
  TRY_DO(fetch(std::chrono::milliseconds(0)));
  if (after == 0 || after > last_) after = last_;
  if (after == last_) TRY_DO(fetch(patience));
  Page page{.events = {}, .last = last_, .lost = 0};
  for (const Entry& entry : entries_) {
    if (entry.number > after) page.events.push_back(entry.event);
  }
  page.lost = last_ - after - page.events.size();
  return page;
}

// Of several readers, who wants most gets it.
Result<> FlowLog::watch(std::uint32_t one_of) {
  const Clock::time_point now = Clock::now();
  asked_[one_of] = now;
  std::erase_if(asked_, [&](const auto& each) { return now - each.second > kWatch; });
  return ring_->watch(asked_.begin()->first, kWatch);
}

Result<> FlowLog::fetch(std::chrono::milliseconds patience) {
  TRY(auto events, ring_->take(patience));
  TRY(const std::uint32_t lost, ring_->lost());
  if (counted_) last_ += static_cast<std::uint32_t>(lost - lost_);
  lost_ = lost;
  counted_ = true;
  for (bpf::FlowEvent& event : events) entries_.push_back({++last_, std::move(event)});
  while (entries_.size() > kMost) entries_.pop_front();
  return {};
}

}  // namespace heddle::flows
