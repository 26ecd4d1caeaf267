#include "netd/ipam/pool.h"

#include <algorithm>
#include <optional>

#include "common/base/check.h"

namespace heddle::ipam {

Pool::Pool(model::Subnet subnet, Extent extent, std::chrono::seconds quarantine)
    : subnet_(std::move(subnet)), extent_(extent), quarantine_(quarantine) {
  CHECK(subnet_.prefix.is_v4());
  if (extent == Extent::subnet) set_blocks({subnet_.prefix});
}

void Pool::set_blocks(std::vector<Prefix> blocks) {
  std::erase_if(blocks, [&](const Prefix& block) { return !subnet_.prefix.contains(block); });
  std::ranges::sort(blocks);
  ranges_.clear();
  for (const Prefix& block : blocks) {
    const Offset first = offset_of(block.address());
    const Offset last = first + static_cast<Offset>(block.size() - 1);
    // Of two blocks that overlap one contains the other, and it sorts first.
    if (!ranges_.empty() && first <= ranges_.back().last) continue;
    ranges_.push_back({first, last});
  }
}

Pool::Offset Pool::offset_of(const IpAddr& address) const {
  return address.v4_value() - subnet_.prefix.address().v4_value();
}

bool Pool::assignable(Offset offset) const {
  const IpAddr address = subnet_.prefix.at(offset);
  if (address == subnet_.gateway) return false;
  if (subnet_.prefix.length() >= 31) return true;  // RFC 3021
  return offset != 0 && offset != subnet_.prefix.size() - 1;
}

bool Pool::in_blocks(Offset offset) const {
  return std::ranges::any_of(
      ranges_, [&](const Range& range) { return range.first <= offset && offset <= range.last; });
}

Result<> Pool::check(const IpAddr& address) const {
  const std::string text = address.format();
  const std::string subnet = subnet_.prefix.format();
  if (!subnet_.prefix.contains(address)) {
    return fail(Errc::invalid, "address " + text + " is outside the subnet " + subnet);
  }
  if (address == subnet_.gateway) {
    return fail(Errc::invalid, "address " + text + " is the gateway of " + subnet);
  }
  const Offset offset = offset_of(address);
  if (assignable(offset)) return {};
  return fail(Errc::invalid, "address " + text + " is the " +
                                 (offset == 0 ? "network" : "broadcast") + " address of " + subnet);
}

void Pool::forget_rested(Now now) {
  while (!rests_.empty() && rests_.front().first <= now) {
    const auto found = resting_.find(rests_.front().second);
    if (found != resting_.end() && found->second <= now) resting_.erase(found);
    rests_.pop_front();
  }
}

void Pool::take(Offset offset, const std::string& holder) {
  holders_.emplace(offset, holder);
  resting_.erase(offset);
}

Result<> Pool::claim(const IpAddr& address, const std::string& holder) {
  if (!subnet_.prefix.contains(address)) return check(address);
  const Offset offset = offset_of(address);
  const auto found = holders_.find(offset);
  if (found != holders_.end() && found->second != holder) {
    return fail(Errc::exists, "address " + address.format() + " is in use by " + found->second);
  }
  take(offset, holder);
  return {};
}

std::uint64_t Pool::extent_size() const {
  std::uint64_t size = 0;
  for (const Range& range : ranges_) {
    size += std::uint64_t{range.last} - range.first + 1;
    // At most three offsets are special; they are looked for where they can be.
    for (const Offset special :
         {Offset{0}, offset_of(subnet_.gateway), static_cast<Offset>(subnet_.prefix.size() - 1)}) {
      if (range.first <= special && special <= range.last && !assignable(special)) --size;
    }
  }
  return size;
}

std::uint64_t Pool::free(Now now) const {
  std::uint64_t taken = 0;
  for (const auto& [offset, holder] : holders_) taken += in_blocks(offset) && assignable(offset);
  for (const auto& [offset, until] : resting_) {
    taken += now < until && in_blocks(offset) && assignable(offset);
  }
  const std::uint64_t size = extent_size();
  return size > taken ? size - taken : 0;
}

Result<IpAddr> Pool::allocate(const std::string& holder, Now now) {
  forget_rested(now);
  const auto usable = [&](Offset offset) {
    return assignable(offset) && !holders_.contains(offset) && !resting_.contains(offset);
  };
  // From `next_` to the end, then from the start.
  for (const Offset from : {next_, Offset{0}}) {
    for (const Range& range : ranges_) {
      if (range.last < from) continue;
      for (std::uint64_t offset = std::max(range.first, from); offset <= range.last; ++offset) {
        if (!usable(static_cast<Offset>(offset))) continue;
        next_ = static_cast<Offset>(offset) + 1;
        take(static_cast<Offset>(offset), holder);
        return subnet_.prefix.at(offset);
      }
    }
  }
  std::string text = "no free address in " + subnet_.prefix.format();
  if (extent_ == Extent::blocks) text += " among this node's blocks";
  text += ": " + std::to_string(holders_.size()) + " in use";
  if (!resting_.empty()) {
    text += ", " + std::to_string(resting_.size()) + " released less than " +
            std::to_string(quarantine_.count()) + " s ago";
  }
  return fail(Errc::exhausted, text + "; disconnect workloads or use a larger subnet");
}

Result<> Pool::allocate(const IpAddr& address, const std::string& holder, Now now) {
  TRY_DO(check(address));
  forget_rested(now);
  const Offset offset = offset_of(address);
  if (const auto found = holders_.find(offset); found != holders_.end()) {
    return fail(Errc::exists, "address " + address.format() + " is in use by " + found->second);
  }
  if (!in_blocks(offset)) {
    return fail(Errc::denied, "address " + address.format() + " is not in this node's blocks of " +
                                  subnet_.prefix.format() +
                                  "; leave the choice to Heddle, or name one of those");
  }
  take(offset, holder);
  return {};
}

void Pool::release(const IpAddr& address, Now now) {
  if (!subnet_.prefix.contains(address)) return;
  const Offset offset = offset_of(address);
  if (holders_.erase(offset) == 0) return;
  if (quarantine_.count() == 0) return;
  resting_[offset] = now + quarantine_;
  rests_.emplace_back(now + quarantine_, offset);
}

const std::string* Pool::holder_of(const IpAddr& address) const {
  if (!subnet_.prefix.contains(address)) return nullptr;
  const auto found = holders_.find(offset_of(address));
  return found == holders_.end() ? nullptr : &found->second;
}

}  // namespace heddle::ipam
