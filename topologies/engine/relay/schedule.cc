#include "topologies/engine/relay/schedule.h"

#include <algorithm>
#include <cstring>

namespace heddle::relay {
namespace {

constexpr std::uint32_t kMacBytes = 12;  // both addresses; a tag follows them
constexpr std::uint32_t kTagBytes = 4;

// The frame as it was on the wire: with its tag.
Frame frame_of(const heddle_wire_record& record, const std::byte* payload, std::uint32_t to) {
  const bool tagged = record.vlan_protocol != 0 && record.bytes >= kMacBytes;
  Frame frame;
  frame.from = record.from;
  frame.to = to;
  frame.bytes = record.bytes + (tagged ? kTagBytes : 0);
  frame.data = std::make_unique_for_overwrite<std::byte[]>(frame.bytes);
  std::byte* out = frame.data.get();
  if (!tagged) {
    std::memcpy(out, payload, record.bytes);
    return frame;
  }
  const auto tag = static_cast<std::uint16_t>(record.vlan_tag << 8 | record.vlan_tag >> 8);
  std::memcpy(out, payload, kMacBytes);
  std::memcpy(out + kMacBytes, &record.vlan_protocol, sizeof record.vlan_protocol);
  std::memcpy(out + kMacBytes + 2, &tag, sizeof tag);
  std::memcpy(out + kMacBytes + kTagBytes, payload + kMacBytes, record.bytes - kMacBytes);
  return frame;
}

}  // namespace

void Schedule::put(std::uint32_t from, const Direction& direction) {
  directions_[from].direction = direction;
}

void Schedule::remove(std::uint32_t from) {
  directions_.erase(from);
}

void Schedule::accept(const heddle_wire_record& record, const std::byte* payload) {
  const auto found = directions_.find(record.from);
  if (found == directions_.end()) return;  // the link went while the packet was on its way here
  auto& [direction, counts] = found->second;
  const std::uint64_t due =
      record.arrived_ns + heddle_wire_delay_ns(&direction.settings, record.number);
  for (std::uint32_t copy = 0; copy < record.copies; ++copy) {
    if (counts.waiting >= direction.limit) {
      ++counts.dropped;
      continue;
    }
    ++counts.accepted;
    ++counts.waiting;
    waiting_.push({due, order_++, frame_of(record, payload, direction.settings.to)});
  }
}

void Schedule::take_due(std::uint64_t now, std::size_t most, std::vector<Due>& out) {
  for (; most > 0 && !waiting_.empty() && waiting_.top().due_ns <= now; --most) {
    const Waiting& top = waiting_.top();
    if (const auto found = directions_.find(top.frame.from); found != directions_.end())
      found->second.counts.waiting -= found->second.counts.waiting > 0;
    out.push_back({top.due_ns, std::move(top.frame)});
    waiting_.pop();
  }
}

Schedule::Counts Schedule::counts(std::uint32_t from) const {
  const auto found = directions_.find(from);
  return found == directions_.end() ? Counts{} : found->second.counts;
}

}  // namespace heddle::relay
