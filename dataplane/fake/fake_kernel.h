#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/intent/kernel.h"

namespace heddle::dataplane {

// A kernel in memory that behaves as dataplane/linux does: it passes the same conformance suite.
// For tests of everything above the dataplane.
// Threads: one caller at a time.
class FakeKernel final : public Kernel {
 public:
  Result<> apply(const Operation& operation) override;
  Result<HostState> observe(const HostState& wanted) override;
  bool sandbox_exists(const SandboxPath& sandbox) override;
  Result<> remove_everything() override;

  // --- the world around it, as tests arrange it ---

  void add_sandbox(const SandboxPath& sandbox);
  // Takes its interfaces along. A sandbox added again under the path is another one.
  void remove_sandbox(const SandboxPath& sandbox);
  void add_device(const std::string& name);  // a link that is not ours: eth0
  void add_interface(const SandboxPath& sandbox, const std::string& name);  // not ours, inside
  void add_cgroup(const std::string& path);
  // A sidecar's inbound listener; without one an interception of inbound ports is `unavailable`.
  void add_listener(const SandboxPath& sandbox, std::uint16_t port);
  // A socket of the sandbox is connected by a VIP: to the first ready backend.
  // Returns its client address, by which it is known. Errors: `unavailable` without one.
  Result<SocketAddr> connect(const SandboxPath& sandbox, const HostState::ServiceKey& service);
  bool is_connected(const SocketAddr& client) const;
  // Makes every operation that needs eBPF fail.
  void lose_programs(Error why) { no_programs_ = std::move(why); }

  // The n-th call of apply() from now on fails with `error` and changes nothing; 1 is the next.
  void fail_apply(std::size_t n, Error error);
  // The next call of observe() fails.
  void fail_observe(Error error) { observe_failure_ = std::move(error); }

  // Operations that succeeded, in order.
  const std::vector<Operation>& applied() const { return applied_; }
  void clear_applied() { applied_.clear(); }

  // What is there, to be altered as by hand.
  HostState& state() { return state_; }
  // Deletes a link of ours by hand.
  void delete_link(std::string name);
  // The number that a link would have as its index: a link made anew has another one.
  std::uint32_t index_of(const std::string& name) const;

 private:
  Result<> carry_out(const Operation& operation);
  Result<> need_programs() const;
  Result<> need_sandbox(const SandboxPath& sandbox) const;

  Result<> put(const Bridge& bridge);
  Result<> put(const VlanDevice& vlan);
  Result<> put(const Attachment& attachment);
  Result<> put(const Underlay& underlay);
  Result<> put(const HostRoute& route);
  Result<> put(const OverlayNetwork& network);
  Result<> put(const OverlayAddress& address);
  Result<> put(const OverlayBlock& block);
  Result<> put(const ServiceEntry& service);
  Result<> put(const Member& member);
  Result<> put(const Interception& interception);
  Result<> take(const RemoveBridge& op);
  Result<> take(const RemoveAttachment& op);
  Result<> take(const RemoveUnderlay& op);
  Result<> take(const RemoveHostRoute& op);
  Result<> take(const RemoveOverlayNetwork& op);
  Result<> take(const RemoveOverlayAddress& op);
  Result<> take(const RemoveOverlayBlock& op);
  Result<> take(const RemoveService& op);
  Result<> take(const RemoveMember& op);
  Result<> take(const RemoveInterception& op);
  Result<> take(const RemoveVlan& op);
  Result<> take(const SetRules& op);
  Result<> take(const ChangePublished& op);
  Result<> take(const RestorePins& op);
  Result<> take(const EndStaleFlows& op);
  Result<> take(const SetSysctl& op);

  bool is_ours(const std::string& name) const;
  bool has_link(const std::string& name) const;
  bool is_stale(const StaleFlow& flow) const;

  HostState state_;
  std::set<StaleFlow> flows_;  // all sockets that were connected by a VIP
  std::map<SandboxPath, std::set<std::string>> sandboxes_;  // and foreign interfaces inside
  std::set<std::string> devices_;
  std::set<std::string> cgroups_;
  std::set<std::pair<SandboxPath, std::uint16_t>> listeners_;
  std::map<std::string, std::uint32_t> indexes_;
  std::uint32_t next_index_ = 2;
  std::uint16_t next_port_ = 40000;
  std::uint64_t next_cookie_ = 1000;
  std::optional<Error> no_programs_;
  std::deque<std::optional<Error>> failures_;  // front: of the next call
  std::optional<Error> observe_failure_;
  std::vector<Operation> applied_;
};

}  // namespace heddle::dataplane
