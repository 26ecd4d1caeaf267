#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"

namespace heddle::ipam {

// The addresses of one subnet, of either family and any size, that this node may assign: the whole
// subnet for a local network, this node's blocks of it for a swarm network. A plain value without
// clock or I/O: built from what the store holds, kept by whoever assigns.
// Never given: the gateway, reserved addresses, IPv4's network and broadcast addresses (RFC 3021
// excepted) and IPv6's subnet-router anycast address (RFC 4291, section 2.6.1; RFC 6164 excepted).
// A released address rests for a while, and the search for the next goes round, so that an address
// that was just given up is not soon somebody else's: peers keep stale neighbours and connections.
// Threads: one at a time.
// Costs:   memory follows what is taken, not the subnet; taking and giving up are O(log taken),
//          times the blocks where there are several.
class Pool final {
 public:
  using Now = std::chrono::steady_clock::time_point;
  enum class Extent { subnet, blocks };
  static constexpr std::chrono::seconds kQuarantine{30};

  // With Extent::blocks nothing is free before set_blocks().
  Pool(model::Subnet subnet, Extent extent, std::chrono::seconds quarantine = kQuarantine);

  // The subnet as it is now: it grew, or its gateway, range or reserved addresses changed. What is
  // held or rests stays so.
  void set_subnet(model::Subnet subnet);
  // The parts of the subnet that are this node's; those outside it are ignored. Addresses in use
  // stay so even outside the blocks.
  void set_blocks(std::vector<Prefix> blocks);
  // Nobody holds anything and nothing rests: what the stores say follows, by claim() and rest().
  void clear();

  // Records what the store says is in use; repeating it for the same holder is fine.
  // Errors: `exists` when somebody else has it; `invalid` outside the subnet.
  Result<> claim(const IpAddr& address, const std::string& holder);
  // Records what the store says was released: not chosen before `until`. Ignored outside the
  // subnet.
  void rest(const IpAddr& address, Now until);

  // The next free address of the subnet's range. `holder` is for people: "c1".
  // Errors: `exhausted` with what is in use and resting.
  Result<IpAddr> allocate(const std::string& holder, Now now);
  // That address. Resting ones, and those outside the range, may be asked for by name.
  // Errors: `invalid` when it is not assignable, with the reason; `exists` with the holder's name;
  // `denied` when it is not in this node's blocks.
  Result<> allocate(const IpAddr& address, const std::string& holder, Now now);

  // Its holder is gone: it rests. Absence is success.
  void release(const IpAddr& address, Now now);
  // It was never used: as before it was allocated. Absence is success.
  void give_back(const IpAddr& address);

  // Addresses that could be chosen now; at most 2^63.
  std::uint64_t free(Now now);
  std::size_t used() const { return holders_.size(); }
  const model::Subnet& subnet() const { return subnet_; }
  // Null when nobody has it.
  const std::string* holder_of(const IpAddr& address) const;

 private:
  using Number = unsigned __int128;  // an address of the subnet's family
  struct Range {
    Number first, last;  // inclusive
  };
  static Number number_of(const IpAddr& address);
  IpAddr address_of(Number number) const;
  // Why an address of the subnet is nobody's to have; "" when it may be had.
  std::string special(const IpAddr& address) const;
  Result<> check(const IpAddr& address) const;
  bool in_blocks(Number number) const;

  void rebuild();
  void occupy(Number number);
  void vacate(Number number);  // unless something else occupies it
  void forget_rested(Now now);
  // The first that nothing occupies from `first` to `last`.
  std::optional<Number> find_free(Number first, Number last) const;

  model::Subnet subnet_;
  Extent extent_;
  std::chrono::seconds quarantine_;
  std::vector<Prefix> blocks_;
  std::vector<Range> mine_;     // the blocks: sorted, apart from each other
  std::vector<Range> choices_;  // as far as they are in the subnet's range
  std::map<Number, std::string> holders_;
  std::map<Number, Now> resting_;  // until when; may have a holder who asked for it by name
  using Rest = std::pair<Now, Number>;
  std::priority_queue<Rest, std::vector<Rest>, std::greater<>> rests_;  // may name ended ones
  std::map<Number, Number> occupied_;  // held, resting or special: first -> last, never adjacent
  Number next_ = 0;                    // where the search goes on
};

}  // namespace heddle::ipam
