#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/net/link.h"
#include "ebpf/abi/wire.h"

namespace heddle::bpf {

// The programs and maps of a lab's impaired links (ebpf/wire.bpf.c). Nothing is pinned: a filter
// keeps its program and its maps, and goes with the device.
// Threads: one caller at a time, but for `ring_fd` and `wakes_at`, which one reader has.
// Errors:  `unsupported` with the kernel feature that is missing, `denied` without CAP_BPF.
class Wires final {
 public:
  static Result<std::unique_ptr<Wires>> load();
  ~Wires();
  Wires(const Wires&) = delete;
  Wires& operator=(const Wires&) = delete;

  // A device whose packets are counted on from `past`. It needs settings, too.
  Result<> begin(IfIndex from, const heddle_wire_state& past);
  // What happens to the packets that arrive at it from now on.
  Result<> put(IfIndex from, const heddle_wire_settings& settings);
  Result<> remove(IfIndex from);  // absence is success
  Result<std::optional<heddle_wire_state>> state(IfIndex from) const;

  // In the calling thread's network namespace, which the device is in.
  Result<> attach(IfIndex from);
  Result<> attach_sever(IfIndex port);

  // Replaces the pairs of ports between which frames are dropped, one way each.
  using Pair = std::pair<IfIndex, IfIndex>;  // from, to
  Result<> sever(const std::vector<Pair>& pairs);
  Result<std::uint64_t> severed_frames() const;  // dropped, by the pairs there are

  int program_fd() const;           // `wire`, borrowed
  int ring_fd() const;              // of heddle_wire_record, borrowed
  std::uint64_t* wakes_at() const;  // shared with the program: see ebpf/wire.bpf.c

 private:
  struct Skeleton;
  explicit Wires(std::unique_ptr<Skeleton> skeleton);
  std::unique_ptr<Skeleton> skeleton_;
};

}  // namespace heddle::bpf
