#include "netd/dns/cache.h"

#include <chrono>

namespace heddle::dns {
namespace {

constexpr std::size_t kOverhead = 256;  // of an entry: its nodes in both tables, the reply's own
constexpr std::size_t kMinShares = 8;   // so many entries there is room for at least

}  // namespace

Cache::Found Cache::find(const std::string& key, Deadline now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return {};
  const Entries::iterator entry = found->second;
  if (now >= entry->until) {
    erase(entry);
    return {};
  }
  entries_.splice(entries_.begin(), entries_, entry);
  const auto age = std::chrono::ceil<std::chrono::seconds>(now - entry->received).count();
  return {entry->reply, static_cast<std::uint32_t>(age)};
}

void Cache::insert(const std::string& key, std::shared_ptr<const UpstreamReply> reply,
                   Deadline now) {
  if (const auto old = by_key_.find(key); old != by_key_.end()) erase(old->second);
  if (reply == nullptr || reply->lifetime == 0) return;
  const Deadline until = now + std::chrono::seconds(reply->lifetime);
  Entry entry{key, std::move(reply), now, until};
  if (cost(entry) > max_bytes_ / kMinShares) return;
  entries_.push_front(std::move(entry));
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += cost(entries_.front());
  while (bytes_ > max_bytes_) erase(std::prev(entries_.end()));
}

void Cache::clear() {
  by_key_.clear();
  entries_.clear();
  bytes_ = 0;
}

std::size_t Cache::cost(const Entry& entry) {
  return kOverhead + entry.key.size() + entry.reply->bytes.size() +
         entry.reply->ttls.size() * sizeof(std::uint16_t);
}

void Cache::erase(Entries::iterator entry) {
  bytes_ -= cost(*entry);
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace heddle::dns
