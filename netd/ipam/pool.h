#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"

namespace heddle::ipam {

// The addresses of one subnet that this node may assign: the whole subnet for a local network, this
// node's blocks of it for a swarm network. A plain value without clock or I/O: built from what the
// store holds, kept by whoever assigns.
// A released address rests for a while, and the search for the next goes round, so that an address
// that was just given up is not soon somebody else's: peers keep stale neighbours and connections.
// Threads: one at a time.
// Costs:   allocate and release are O(log n) while addresses are free; a full pool is searched
// once.
class Pool final {
 public:
  using Now = std::chrono::steady_clock::time_point;
  enum class Extent { subnet, blocks };

  // `subnet` is IPv4 (CHECKed). With Extent::blocks nothing is free before set_blocks().
  Pool(model::Subnet subnet, Extent extent,
       std::chrono::seconds quarantine = std::chrono::seconds(30));

  // The parts of the subnet that are this node's; those outside it are ignored. Addresses in use
  // stay so even outside the blocks.
  void set_blocks(std::vector<Prefix> blocks);

  // Records what the store says is in use; repeating it for the same holder is fine.
  // Errors: `exists` when somebody else has it; `invalid` outside the subnet.
  Result<> claim(const IpAddr& address, const std::string& holder);

  // The next free address. `holder` is for people: "c1".
  // Errors: `exhausted` with what is in use and resting.
  Result<IpAddr> allocate(const std::string& holder, Now now);
  // That address. Resting ones may be asked for by name.
  // Errors: `invalid` when it is not assignable, with the reason; `exists` with the holder's name;
  // `denied` when it is not in this node's blocks.
  Result<> allocate(const IpAddr& address, const std::string& holder, Now now);

  // Absence is success.
  void release(const IpAddr& address, Now now);

  // Addresses that could be assigned now.
  std::uint64_t free(Now now) const;
  std::size_t used() const { return holders_.size(); }
  const model::Subnet& subnet() const { return subnet_; }
  // Null when nobody has it.
  const std::string* holder_of(const IpAddr& address) const;

 private:
  using Offset = std::uint32_t;  // from the subnet's first address
  struct Range {
    Offset first, last;  // inclusive
  };

  Offset offset_of(const IpAddr& address) const;
  bool assignable(Offset offset) const;  // not the network's, broadcast or gateway address
  bool in_blocks(Offset offset) const;
  Result<> check(const IpAddr& address) const;
  std::uint64_t extent_size() const;
  void forget_rested(Now now);
  void take(Offset offset, const std::string& holder);

  model::Subnet subnet_;
  Extent extent_;
  std::chrono::seconds quarantine_;
  std::vector<Range> ranges_;  // sorted, apart from each other
  std::map<Offset, std::string> holders_;
  std::map<Offset, Now> resting_;             // until when
  std::deque<std::pair<Now, Offset>> rests_;  // in that order; may name some that left early
  Offset next_ = 0;                           // where the search goes on
};

}  // namespace heddle::ipam
