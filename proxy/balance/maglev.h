#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "proxy/balance/load.h"

namespace heddle::balance {

// Maglev's table (Eisenbud 2016, section 3.4): one look-up a key, targets nearly even, and few keys
// move when targets come and go.
class Maglev {
 public:
  void build(std::span<Load* const> members);
  Load* find(std::uint64_t hash) const { return members_[table_[hash % table_.size()]]; }

 private:
  std::vector<Load*> members_;
  std::vector<std::uint32_t> table_;
};

}  // namespace heddle::balance
