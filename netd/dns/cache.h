#pragma once
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/base/clock.h"
#include "netd/dns/upstream_reply.h"

namespace heddle::dns {

// What upstreams said, until it is too old; at most `max_bytes` of it, those that were asked for
// longest ago first to go. A stale answer is never given. Pure: the time comes in. Not thread-safe.
class Cache final {
 public:
  explicit Cache(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  struct Found {
    std::shared_ptr<const UpstreamReply> reply;  // null: nothing
    std::uint32_t age = 0;                       // seconds, rounded up: never longer than allowed
  };
  Found find(const std::string& key, Deadline now);

  // One without a lifetime is not kept, nor one that alone would take an eighth of the room.
  void insert(const std::string& key, std::shared_ptr<const UpstreamReply> reply, Deadline now);
  void clear();

  std::size_t size() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }  // with an estimate of the tables' own

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const UpstreamReply> reply;
    Deadline received;
    Deadline until;
  };
  using Entries = std::list<Entry>;  // most recently asked for first
  static std::size_t cost(const Entry& entry);
  void erase(Entries::iterator entry);

  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> by_key_;  // keys lie in entries_
};

}  // namespace heddle::dns
