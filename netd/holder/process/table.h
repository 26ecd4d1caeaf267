#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.h"
#include "netd/holder/protocol.h"

namespace heddle::process {

// The descriptors held, by name, at most kMaxKept. Found by a scan, which at 4,096 entries is far
// cheaper than the system calls around it.
// Threads: one.
class Table final {
 public:
  struct Entry {
    UniqueFd fd;  // none: a free place
    holder::Name name{};
    std::string_view text() const { return {name.text, name.length}; }
  };

  // Takes the descriptor; an equal name is replaced. False when full: `fd` is closed then.
  bool put(std::string_view name, UniqueFd fd);
  void drop(std::string_view name);

  // First used place at or after `from`, or kMaxKept.
  std::size_t next(std::size_t from) const;
  const Entry& at(std::size_t place) const { return entries_[place]; }
  std::size_t size() const { return size_; }

 private:
  Entry* find(std::string_view name);

  std::vector<Entry> entries_;
  std::size_t size_ = 0;  // places in use
};

}  // namespace heddle::process
