#pragma once
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dataplane/intent/host_state.h"

// One step from an observation towards an intent. Each is idempotent: `Ensure` makes the object as
// described whatever it was, `Remove` succeeds when it is absent.
namespace heddle::dataplane {

template <class T>
struct Ensure {
  T object;
  friend bool operator==(const Ensure&, const Ensure&) = default;
};

struct RemoveBridge {
  std::string name;
  friend bool operator==(const RemoveBridge&, const RemoveBridge&) = default;
};
struct RemoveAttachment {
  std::string host_name;
  friend bool operator==(const RemoveAttachment&, const RemoveAttachment&) = default;
};
struct RemoveUnderlay {
  friend bool operator==(const RemoveUnderlay&, const RemoveUnderlay&) = default;
};
struct RemoveHostRoute {
  IpAddr address;
  friend bool operator==(const RemoveHostRoute&, const RemoveHostRoute&) = default;
};
struct RemoveOverlayNetwork {
  Vni vni;
  friend bool operator==(const RemoveOverlayNetwork&, const RemoveOverlayNetwork&) = default;
};
struct RemoveOverlayAddress {
  Vni vni;
  IpAddr address;
  friend bool operator==(const RemoveOverlayAddress&, const RemoveOverlayAddress&) = default;
};
struct RemoveOverlayBlock {
  Vni vni;
  Prefix prefix;
  friend bool operator==(const RemoveOverlayBlock&, const RemoveOverlayBlock&) = default;
};
struct RemoveService {
  HostState::ServiceKey key;
  friend bool operator==(const RemoveService&, const RemoveService&) = default;
};
struct RemoveMember {
  SandboxPath sandbox;
  friend bool operator==(const RemoveMember&, const RemoveMember&) = default;
};
struct RemoveInterception {
  SandboxPath sandbox;
  friend bool operator==(const RemoveInterception&, const RemoveInterception&) = default;
};
struct RemoveVlan {
  std::string name;
  friend bool operator==(const RemoveVlan&, const RemoveVlan&) = default;
};
// All rules of the nft table, replaced in one transaction that leaves the published ports; when
// both are empty and nothing is published, the table goes.
struct SetRules {
  std::set<Masquerade> masquerades;
  std::set<NetworkRules> rules;
  friend bool operator==(const SetRules&, const SetRules&) = default;
};
// Published ports, in one transaction: `put` are there afterwards whatever they led to before,
// `removed` are not. Connections through a port that leads elsewhere now are forgotten.
struct ChangePublished {
  std::map<PublishedKey, PublishedTarget> put;
  std::set<PublishedKey> removed;
  friend bool operator==(const ChangePublished&, const ChangePublished&) = default;
};
// Pins maps and attaches socket hooks again, these and whatever else is missing.
struct RestorePins {
  std::set<std::string> pins;  // HostState::missing_pins
  friend bool operator==(const RestorePins&, const RestorePins&) = default;
};
// Ends the sockets of members that are StaleFlows now: their programs get ECONNABORTED instead of
// waiting for an answer. What was connected to a backend which draws no new flows stays.
struct EndStaleFlows {
  friend bool operator==(const EndStaleFlows&, const EndStaleFlows&) = default;
};
struct SetSysctl {
  std::string name;  // net/ipv4/ip_forward
  std::string value;
  friend bool operator==(const SetSysctl&, const SetSysctl&) = default;
};

using Operation =
    std::variant<Ensure<Bridge>, Ensure<VlanDevice>, Ensure<Attachment>, Ensure<Underlay>,
                 Ensure<HostRoute>, Ensure<OverlayNetwork>, Ensure<OverlayAddress>,
                 Ensure<OverlayBlock>, Ensure<ServiceEntry>, Ensure<Member>, Ensure<Interception>,
                 RemoveBridge, RemoveAttachment, RemoveUnderlay, RemoveHostRoute,
                 RemoveOverlayNetwork, RemoveOverlayAddress, RemoveOverlayBlock, RemoveService,
                 RemoveMember, RemoveInterception, RemoveVlan, SetRules, ChangePublished,
                 RestorePins, EndStaleFlows, SetSysctl>;

// `remove attachment hv12ab (10.40.0.5 of c1)`: one line for verify and logs.
std::string describe(const Operation& operation);

std::string_view name(Protocol protocol);     // tcp
std::string format(const PublishedKey& key);  // 0.0.0.0:8080/tcp

}  // namespace heddle::dataplane
