#include "netd/ipam/pool.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>

namespace heddle::ipam {
namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 63;

}  // namespace

Pool::Number Pool::number_of(const IpAddr& address) {
  if (address.is_v4()) return address.v4_value();
  Number number = 0;
  for (const std::uint8_t byte : address.bytes()) number = number << 8 | byte;
  return number;
}

IpAddr Pool::address_of(Number number) const {
  if (subnet_.prefix.is_v4()) return IpAddr::v4(static_cast<std::uint32_t>(number));
  std::array<std::uint8_t, 16> bytes{};
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, number >>= 8) {
    *byte = static_cast<std::uint8_t>(number);
  }
  return IpAddr::v6(bytes);
}

Pool::Pool(model::Subnet subnet, Extent extent, std::chrono::seconds quarantine)
    : subnet_(std::move(subnet)), extent_(extent), quarantine_(quarantine) {
  rebuild();
}

void Pool::set_subnet(model::Subnet subnet) {
  if (subnet == subnet_) return;
  subnet_ = std::move(subnet);
  rebuild();
}

void Pool::set_blocks(std::vector<Prefix> blocks) {
  if (extent_ == Extent::subnet || blocks == blocks_) return;
  blocks_ = std::move(blocks);
  rebuild();
}

void Pool::clear() {
  holders_.clear();
  resting_.clear();
  rests_ = {};
  rebuild();
}

// What follows from the subnet, the blocks, the holders and the rests.
void Pool::rebuild() {
  const auto range_of = [](const Prefix& prefix) {
    const Number first = number_of(prefix.address());
    const int host_bits = (prefix.is_v4() ? 32 : 128) - prefix.length();
    const Number all = std::numeric_limits<Number>::max();
    const Number hosts = host_bits == 128 ? all : ~(all << host_bits);
    return Range{first, first | hosts};
  };
  const Range whole = range_of(subnet_.prefix);
  std::vector<Prefix> blocks = extent_ == Extent::subnet ? std::vector{subnet_.prefix} : blocks_;
  std::erase_if(blocks, [&](const Prefix& block) { return !subnet_.prefix.contains(block); });
  std::ranges::sort(blocks);
  mine_.clear();
  for (const Prefix& block : blocks) {
    const Range range = range_of(block);
    // Of two blocks that overlap one contains the other, and it sorts first.
    if (mine_.empty() || range.first > mine_.back().last) mine_.push_back(range);
  }
  const Range chosen = subnet_.range ? range_of(*subnet_.range) : whole;
  choices_.clear();
  for (const Range& range : mine_) {
    const Range both{std::max(range.first, chosen.first), std::min(range.last, chosen.last)};
    if (both.first <= both.last) choices_.push_back(both);
  }
  occupied_.clear();
  for (const IpAddr& address :
       {subnet_.prefix.address(), address_of(whole.last), subnet_.gateway}) {
    if (subnet_.prefix.contains(address) && !special(address).empty()) occupy(number_of(address));
  }
  for (const auto& [name, address] : subnet_.reserved) {
    if (subnet_.prefix.contains(address)) occupy(number_of(address));
  }
  for (const auto& [number, holder] : holders_) occupy(number);
  for (const auto& [number, until] : resting_) occupy(number);
}

std::string Pool::special(const IpAddr& address) const {
  if (address == subnet_.gateway) return "the gateway";
  const auto reserved = std::ranges::find_if(
      subnet_.reserved, [&](const auto& entry) { return entry.second == address; });
  if (reserved != subnet_.reserved.end()) return "reserved for '" + reserved->first + "' in";
  const bool v4 = subnet_.prefix.is_v4();
  if (subnet_.prefix.length() >= (v4 ? 31 : 127)) return "";
  if (address == subnet_.prefix.address()) {
    return v4 ? "the network address" : "the subnet-router anycast address";
  }
  const std::uint32_t hosts = v4 ? ~std::uint32_t{0} >> subnet_.prefix.length() : 0;
  return v4 && (address.v4_value() & hosts) == hosts ? "the broadcast address" : "";
}

Result<> Pool::check(const IpAddr& address) const {
  const std::string text = "address " + address.format();
  const std::string subnet = subnet_.prefix.format();
  if (!subnet_.prefix.contains(address)) {
    return fail(Errc::invalid, text + " is outside the subnet " + subnet);
  }
  const std::string reason = special(address);
  if (reason.empty()) return {};
  return fail(Errc::invalid,
              text + " is " + reason + (reason.ends_with(" in") ? " " : " of ") + subnet);
}

bool Pool::in_blocks(Number number) const {
  const auto after = std::ranges::upper_bound(mine_, number, {}, &Range::first);
  return after != mine_.begin() && number <= std::prev(after)->last;
}

void Pool::occupy(Number number) {
  auto after = occupied_.upper_bound(number);
  if (after != occupied_.begin()) {
    const auto before = std::prev(after);
    if (number <= before->second) return;
    if (before->second + 1 == number) {
      before->second = number;
      if (after != occupied_.end() && after->first == number + 1) {
        before->second = after->second;
        occupied_.erase(after);
      }
      return;
    }
  }
  Number last = number;
  if (after != occupied_.end() && after->first == number + 1) {
    last = after->second;
    occupied_.erase(after);
  }
  occupied_.emplace(number, last);
}

void Pool::vacate(Number number) {
  if (holders_.contains(number) || resting_.contains(number)) return;
  if (!special(address_of(number)).empty()) return;
  const auto after = occupied_.upper_bound(number);
  if (after == occupied_.begin()) return;
  const auto run = std::prev(after);
  const auto [first, last] = *run;
  if (number > last) return;
  if (number == first) {
    occupied_.erase(run);
  } else {
    run->second = number - 1;
  }
  if (number < last) occupied_.emplace(number + 1, last);
}

void Pool::forget_rested(Now now) {
  while (!rests_.empty() && rests_.top().first <= now) {
    const Number number = rests_.top().second;
    rests_.pop();
    const auto found = resting_.find(number);
    if (found == resting_.end() || found->second > now) continue;
    resting_.erase(found);
    vacate(number);
  }
}

Result<> Pool::claim(const IpAddr& address, const std::string& holder) {
  if (!subnet_.prefix.contains(address)) return check(address);
  const auto [found, made] = holders_.try_emplace(number_of(address), holder);
  if (!made && found->second != holder) {
    return fail(Errc::exists, "address " + address.format() + " is in use by " + found->second);
  }
  occupy(found->first);
  return {};
}

void Pool::rest(const IpAddr& address, Now until) {
  if (!subnet_.prefix.contains(address)) return;
  const Number number = number_of(address);
  resting_[number] = until;
  rests_.emplace(until, number);
  occupy(number);
}

std::uint64_t Pool::free(Now now) {
  forget_rested(now);
  Number total = 0;
  for (const Range& range : choices_) {
    total += range.last - range.first + 1;
    auto run = occupied_.upper_bound(range.first);
    if (run != occupied_.begin()) --run;
    for (; run != occupied_.end() && run->first <= range.last; ++run) {
      if (run->second < range.first) continue;
      total -= std::min(run->second, range.last) - std::max(run->first, range.first) + 1;
    }
  }
  return total < kMost ? static_cast<std::uint64_t>(total) : kMost;
}

std::optional<Pool::Number> Pool::find_free(Number first, Number last) const {
  const auto after = occupied_.upper_bound(first);
  if (after == occupied_.begin()) return first;
  const Number end = std::prev(after)->second;
  if (end < first) return first;
  if (end >= last) return std::nullopt;
  return end + 1;  // no two runs touch
}

Result<IpAddr> Pool::allocate(const std::string& holder, Now now) {
  forget_rested(now);
  // From `next_` to the end, then from the start.
  for (const Number from : {next_, Number{0}}) {
    for (const Range& range : choices_) {
      if (range.last < from) continue;
      const auto number = find_free(std::max(range.first, from), range.last);
      if (!number) continue;
      next_ = *number + 1;  // past the family's end: 0, the start
      holders_.emplace(*number, holder);
      occupy(*number);
      return address_of(*number);
    }
  }
  std::string text = "no free address in " + subnet_.prefix.format();
  if (subnet_.range) text += " (range " + subnet_.range->format() + ")";
  if (extent_ == Extent::blocks) text += " among this node's blocks";
  text += ": " + std::to_string(holders_.size()) + " in use";
  const auto resting = std::ranges::count_if(
      resting_, [&](const auto& entry) { return !holders_.contains(entry.first); });
  if (resting > 0) {
    text += ", " + std::to_string(resting) + " released less than " +
            std::to_string(quarantine_.count()) + " s ago";
  }
  return fail(Errc::exhausted, text + "; disconnect workloads or use a larger subnet");
}

Result<> Pool::allocate(const IpAddr& address, const std::string& holder, Now now) {
  TRY_DO(check(address));
  forget_rested(now);
  const Number number = number_of(address);
  if (const auto found = holders_.find(number); found != holders_.end()) {
    return fail(Errc::exists, "address " + address.format() + " is in use by " + found->second);
  }
  if (!in_blocks(number)) {
    return fail(Errc::denied, "address " + address.format() + " is not in this node's blocks of " +
                                  subnet_.prefix.format() +
                                  "; leave the choice to Heddle, or name one of those");
  }
  holders_.emplace(number, holder);
  occupy(number);
  return {};
}

void Pool::release(const IpAddr& address, Now now) {
  if (!subnet_.prefix.contains(address)) return;
  if (holders_.erase(number_of(address)) == 0) return;
  if (quarantine_.count() > 0) return rest(address, now + quarantine_);
  vacate(number_of(address));
}

void Pool::give_back(const IpAddr& address) {
  if (!subnet_.prefix.contains(address)) return;
  if (holders_.erase(number_of(address)) > 0) vacate(number_of(address));
}

const std::string* Pool::holder_of(const IpAddr& address) const {
  if (!subnet_.prefix.contains(address)) return nullptr;
  const auto found = holders_.find(number_of(address));
  return found == holders_.end() ? nullptr : &found->second;
}

}  // namespace heddle::ipam
