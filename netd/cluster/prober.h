#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"

namespace heddle::cluster {

// Asks every peer along the data path whether it lives: a UDP probe to its VXLAN port that the
// peer's eBPF program answers, whether or not its heddled runs (ebpf/abi/probe.h). Acting on one's
// own probes is what keeps failure detection independent of the managers. A peer is unreachable
// from the start until `rise` answers in a row carried its epoch, and again after `fall` unanswered
// probes. Threads: its own; `on_change` is called there, with the whole set, only when it changed.
class Prober {
 public:
  struct Settings {
    IpAddr source;  // this node's data address
    std::uint16_t vxlan_port = 4789;
    std::chrono::milliseconds interval{200};
    int fall = 5;
    int rise = 2;
  };
  struct Peer {
    model::Id node;
    IpAddr address;
    std::uint64_t epoch = 0;
    // What a new peer begins as: reachable when this node knew it so before it was restarted.
    bool reachable = false;
  };
  static Result<std::unique_ptr<Prober>> start(Settings settings,
                                               std::function<void(std::set<model::Id>)> on_change);
  virtual ~Prober() = default;
  // New peers begin unreachable; known ones keep their state unless address or epoch changed.
  virtual void set_peers(std::vector<Peer> peers) = 0;
};

}  // namespace heddle::cluster
