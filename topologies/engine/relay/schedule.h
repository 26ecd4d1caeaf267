#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <queue>
#include <unordered_map>
#include <vector>

#include "ebpf/abi/wire.h"

namespace heddle::relay {

// A packet on its way.
struct Frame {
  std::uint32_t from = 0;  // index of the device it arrived at
  std::uint32_t to = 0;    // and of the one it leaves by
  std::uint32_t bytes = 0;
  std::unique_ptr<std::byte[]> data;
};

// Which packets leave when. Pure: times come from outside, in nanoseconds of CLOCK_MONOTONIC.
// Packets that are due at one time leave in the order in which they arrived.
class Schedule final {
 public:
  struct Direction {
    heddle_wire_settings settings{};
    std::uint32_t limit = 1000;  // packets on their way at most; more are dropped
  };
  struct Counts {
    std::uint64_t accepted = 0;
    std::uint64_t dropped = 0;  // because so many were on their way
    std::uint32_t waiting = 0;
  };

  // Of what arrives by the device from now on; what is on its way arrives as it was going to.
  void put(std::uint32_t from, const Direction& direction);
  void remove(std::uint32_t from);

  // Takes the packet, or a copy for each of `record.copies`; `payload` are its bytes as the record
  // has them, without a tag that the kernel took off.
  void accept(const heddle_wire_record& record, const std::byte* payload);

  bool empty() const { return waiting_.empty(); }
  std::uint64_t next_due() const { return waiting_.top().due_ns; }  // not of an empty one
  struct Due {
    std::uint64_t due_ns = 0;
    Frame frame;
  };
  // Moves up to `most` packets that are due at `now` behind `out`.
  void take_due(std::uint64_t now, std::size_t most, std::vector<Due>& out);

  Counts counts(std::uint32_t from) const;

 private:
  struct Waiting {
    std::uint64_t due_ns;
    std::uint64_t order;
    mutable Frame frame;                          // a priority_queue shows its top as const only
    bool operator<(const Waiting& other) const {  // the queue's top is the greatest
      return due_ns != other.due_ns ? due_ns > other.due_ns : order > other.order;
    }
  };
  struct State {
    Direction direction;
    Counts counts;
  };
  std::priority_queue<Waiting> waiting_;
  std::unordered_map<std::uint32_t, State> directions_;
  std::uint64_t order_ = 0;
};

}  // namespace heddle::relay
