#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "dataplane/bpf/flow_ring.h"
#include "dataplane/intent/host_state.h"

namespace heddle::bpf {

// Counters of one drop reason, summed over CPUs.
struct DropCount {
  std::string reason;  // "no_endpoint"
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// The loaded eBPF programs and their pinned maps: typed access, nothing else knows libbpf.
// Pins live under `pin_dir` (a bpffs); programs, maps and links outlive the process, and a new
// process adopts them: maps are reused when their layout version matches, programs are replaced
// atomically in place, no packet sees a gap.
// Threads: one caller at a time.
// Errors:  `unsupported` with the kernel feature that is missing, `denied` without CAP_BPF,
//          `exhausted` with the map's name and maximum when it is full.
class Programs {
 public:
  struct Settings {
    std::string pin_dir;  // on a bpffs; made by the caller
    std::string cgroup;   // cgroup2 directory that the socket hooks attach to
    std::uint32_t link_group = 0;
  };
  // Loads (or adopts) everything and attaches the cgroup hooks.
  static Result<std::unique_ptr<Programs>> load(Settings settings);
  virtual ~Programs() = default;

  // True when pins of a previous process were adopted: the maps kept their entries.
  virtual bool adopted() const = 0;

  // clsact ingress of an overlay endpoint's host side, with its `ports` entry (source check).
  struct Port {
    IfIndex index;
    Vni vni;
    IpAddr address;
    Mac mac;
    friend auto operator<=>(const Port&, const Port&) = default;
  };
  virtual Result<> attach_port(const Port& port) = 0;
  virtual Result<> detach_port(IfIndex index) = 0;  // absence is success; link may be gone already
  virtual Result<std::vector<Port>> ports() = 0;    // those whose program is attached

  // Decapsulation on the underlay device's clsact ingress and on the VXLAN device's (the fallback).
  struct UnderlayHook {
    IfIndex device;
    Mac device_mac;
    IfIndex vxlan;
    IpAddr address;
    std::uint16_t vxlan_port = 0;
    std::uint64_t epoch = 0;
    friend auto operator<=>(const UnderlayHook&, const UnderlayHook&) = default;
  };
  virtual Result<> attach_underlay(const UnderlayHook& hook) = 0;
  virtual Result<> detach_underlay() = 0;
  virtual Result<std::optional<UnderlayHook>> underlay() = 0;

  virtual Result<> put_network(const dataplane::OverlayNetwork& network) = 0;
  virtual Result<> remove_network(Vni vni) = 0;
  virtual Result<std::vector<dataplane::OverlayNetwork>> networks() = 0;

  struct Address {
    Vni vni;
    IpAddr address;
    Mac mac;
    IfIndex local;               // 0 when remote
    std::optional<IpAddr> vtep;  // absent when local
    bool queued = false;         // through the local device's queue, which limits its rate
    friend auto operator<=>(const Address&, const Address&) = default;
  };
  virtual Result<> put_address(const Address& address) = 0;
  virtual Result<> remove_address(Vni vni, IpAddr address) = 0;
  virtual Result<std::vector<Address>> addresses() = 0;

  virtual Result<> put_block(const dataplane::OverlayBlock& block) = 0;
  virtual Result<> remove_block(Vni vni, Prefix prefix) = 0;
  virtual Result<std::vector<dataplane::OverlayBlock>> blocks() = 0;

  // Backends change without a moment in which a connect sees a wrong or half list.
  virtual Result<> put_service(const dataplane::ServiceEntry& service) = 0;
  virtual Result<> remove_service(const dataplane::HostState::ServiceKey& key) = 0;
  virtual Result<std::vector<dataplane::ServiceEntry>> services() = 0;

  // Sockets of all namespaces that were connected by a VIP to what is no backend of it any more.
  // Costs a walk over the files of all processes.
  struct StaleSocket {
    std::uint64_t netns = 0;   // cookie of its namespace
    std::uint64_t cookie = 0;  // its own
    dataplane::Protocol protocol = dataplane::Protocol::tcp;
    bool mapped = false;  // an IPv6 socket, connected to a v4-mapped address
    SocketAddr own;
    SocketAddr peer;
    SocketAddr service;  // VIP and port
    IfIndex device;      // that it is bound to; 0: none
  };
  virtual Result<std::vector<StaleSocket>> stale_sockets() = 0;

  struct Member {
    std::uint64_t cookie = 0;  // of the network namespace (SO_NETNS_COOKIE)
    std::set<std::uint32_t> networks;
    bool resolver = false;
    friend auto operator<=>(const Member&, const Member&) = default;
  };
  virtual Result<> put_member(const Member& member) = 0;
  virtual Result<> remove_member(std::uint64_t cookie) = 0;
  virtual Result<std::vector<Member>> members() = 0;

  // Outbound by the connect hook; inbound by sk_lookup in the namespace open as `netns_fd`, whose
  // target is the socket listening on 127.0.0.1 or 0.0.0.0 : inbound_port there. The listening
  // sockets must exist. `inbound_listener` is borrowed.
  struct Intercept {
    std::uint64_t cookie = 0;
    std::uint16_t outbound_port = 0;
    std::uint16_t inbound_port = 0;
    std::set<std::uint16_t> inbound;
    std::uint64_t proxy_cgroup_id = 0;
    friend auto operator<=>(const Intercept&, const Intercept&) = default;
  };
  virtual Result<> put_intercept(const Intercept& intercept, int netns_fd,
                                 int inbound_listener) = 0;
  virtual Result<> remove_intercept(std::uint64_t cookie) = 0;
  virtual Result<std::vector<Intercept>> intercepts() = 0;

  virtual Result<std::vector<DropCount>> drops() = 0;
  virtual Result<std::unique_ptr<FlowRing>> open_flows() = 0;

  // dataplane::HostState::missing_pins: a removed pin takes a socket hook off its cgroup, and a map
  // from the next process.
  virtual Result<std::set<std::string>> missing_pins() = 0;
  virtual Result<> restore_pins() = 0;

  // Detaches and unpins everything of ours.
  virtual Result<> remove_everything() = 0;
};

}  // namespace heddle::bpf
