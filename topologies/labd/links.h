#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "dataplane/bpf/wires.h"
#include "dataplane/netlink/shape.h"
#include "dataplane/netlink/socket.h"
#include "topologies/engine/control/message.h"
#include "topologies/engine/plan/plan.h"
#include "topologies/engine/relay/relay.h"

namespace heddle::labd {

// What each link of a lab does to packets: sets it up in the kernel, changes it, tells of it.
// Loss, corruption and duplication are always the program's on the wire; a rate is a token bucket
// where packets leave it; a delay that is always the same is netem's where the kernel has it, any
// other the relay's. Programs and relay are loaded when the first wire needs them.
// Threads: any; one call at a time does something, the others wait.
// Errors:  `unsupported` naming what this kernel lacks; `not_found` with the nearest link.
class Links final {
 public:
  explicit Links(const plan::Plan& plan) : plan_(plan) {}  // borrowed

  // Makes the kernel do what the links should, for all whose devices are there: after the fabric
  // made or restored some. Links that are there already are left alone.
  Result<> settle();
  // While it is held nothing here reads the plan.
  [[nodiscard]] std::unique_lock<std::mutex> hold() const { return std::unique_lock(mutex_); }
  // Forgets links that the plan has no more.
  void forget_gone();
  // A power cut: the member's wires lose their carrier at both ends, until it has power again and
  // they are settled.
  Result<> member_down(const std::string& member);
  void member_up(const std::string& member);

  Result<> cut(const std::string& link);
  Result<> mend(const std::string& link);
  // Absent: that way stays as it is; both absent: again what the file says.
  Result<> impair(const std::string& link, const std::optional<format::Impairment>& forward,
                  const std::optional<format::Impairment>& backward);
  // All pairs that are severed from now on.
  Result<> partition(const std::vector<control::Severed>& pairs);

  std::vector<control::LinkStatus> status() const;
  void add_to(control::Fidelity& fidelity) const;
  // `link a:eth1 - b:eth1: loss by bpf, delay by relay`, for each that does something.
  std::vector<std::string> describe() const;

 private:
  // One direction: from the device where its packets arrive mid-link to the one they leave by.
  struct Way {
    format::Impairment wanted;
    std::uint64_t key = 0;
    IfIndex from;  // 0: not settled
    IfIndex to;
    heddle_wire_state past{};  // of the devices before these
  };
  struct Link {
    Way forward;
    Way backward;
    format::LinkImpairment of_file;
    bool cut = false;
  };

  struct Devices;
  Result<> load();
  Result<netlink::Socket*> in_switch();
  Result<> settle_wire(const plan::Wire& wire, Link& link);
  Result<> settle_way(const plan::Wire& wire, Way& way, const Devices& devices);
  Result<> attach(IfIndex from, const Devices& devices);
  Result<> apply(const plan::Wire& wire, Way& way);
  Result<> need_relay();
  Result<> wait_until_running();
  Result<> set_cut(const std::string& name, bool cut);
  Result<> apply_carrier(const plan::LinkView& view, Link& link);
  Result<> sever();
  Link& state_of(const plan::LinkView& view);
  bool delayed_by_relay(const format::Impairment& impairment) const;
  std::string backend_of(const format::Impairment& impairment) const;
  std::string backends_of(const Link& link) const;
  control::WayStatus status_of(const Way& way) const;

  const plan::Plan& plan_;
  mutable std::mutex mutex_;
  std::map<std::string, Link> links_;  // by name
  std::set<std::string> down_;         // members
  std::vector<control::Severed> severed_;
  std::set<std::uint32_t> sever_ports_;  // devices that have the program
  std::set<std::uint32_t> raised_;       // devices, not seen running yet

  std::optional<netlink::Socket> socket_;  // in the switch namespace
  std::unique_ptr<bpf::Wires> wires_;
  std::unique_ptr<relay::Relay> relay_;  // ends before the wires, whose ring it reads
  bool has_netem_ = false;
};

}  // namespace heddle::labd
