#include "dataplane/intent/operation.h"

namespace heddle::dataplane {
namespace {

std::string text(std::string_view protocol_of, const HostState::ServiceKey& key) {
  const auto& [vip, port, protocol] = key;
  return std::string(protocol_of) + " " + SocketAddr{vip, port}.format() + "/" +
         std::string(name(protocol));
}

std::string vni(Vni value) {
  return "VNI " + std::to_string(value.value);
}

std::string list(const std::vector<IfAddr>& addresses) {
  std::string all;
  for (const IfAddr& address : addresses) all += (all.empty() ? "" : " ") + address.format();
  return all.empty() ? "no address" : all;
}

std::string list(const std::set<std::uint16_t>& ports) {
  std::string all;
  for (const auto port : ports) all += (all.empty() ? "" : " ") + std::to_string(port);
  return all.empty() ? "none" : all;
}

std::string list(const std::set<std::uint32_t>& networks) {
  std::string all;
  for (const auto network : networks) all += (all.empty() ? "" : " ") + std::to_string(network);
  return all.empty() ? "none" : all;
}

struct Describe {
  std::string operator()(const Ensure<Bridge>& op) const {
    return "set up bridge " + op.object.name + " (" + list(op.object.addresses) + ")";
  }
  std::string operator()(const Ensure<VlanDevice>& op) const {
    return "set up VLAN device " + op.object.name + " (" + std::to_string(op.object.id) + " of " +
           op.object.parent + ")";
  }
  std::string operator()(const Ensure<Attachment>& op) const {
    const Attachment& a = op.object;
    return "attach " + a.sandbox + " as " + a.host_name + " (" + a.name + ", " + list(a.addresses) +
           (a.bridge.empty() ? "" : ", bridge " + a.bridge) +
           (a.parent.empty() ? "" : ", parent " + a.parent) +
           (a.overlay ? ", " + vni(*a.overlay) : "") + ")";
  }
  std::string operator()(const Ensure<Underlay>& op) const {
    const Underlay& u = op.object;
    return "set up underlay on " + u.device + " (" + u.address.format() + ", " + u.vxlan_name +
           ", UDP port " + std::to_string(u.vxlan_port) + ")";
  }
  std::string operator()(const Ensure<HostRoute>& op) const {
    return "route " + op.object.address.format() + " to " + op.object.device;
  }
  std::string operator()(const Ensure<OverlayNetwork>& op) const {
    const OverlayNetwork& n = op.object;
    return "set up overlay network " + n.subnet.format() + " (" + vni(n.vni) +
           (n.internal ? ", internal)" : ")");
  }
  std::string operator()(const Ensure<OverlayAddress>& op) const {
    const OverlayAddress& a = op.object;
    return "locate " + a.address.format() + " of " + vni(a.vni) + " at " +
           (a.vtep ? "node " + a.vtep->format() : a.local_device);
  }
  std::string operator()(const Ensure<OverlayBlock>& op) const {
    const OverlayBlock& b = op.object;
    return "take addresses of " + b.prefix.format() + " of " + vni(b.vni) + " from node " +
           b.vtep.format();
  }
  std::string operator()(const Ensure<ServiceEntry>& op) const {
    const ServiceEntry& s = op.object;
    return text("balance", {s.vip, s.port, s.protocol}) + " over " +
           std::to_string(s.backends.size()) + (s.backends.size() == 1 ? " backend" : " backends");
  }
  std::string operator()(const Ensure<Member>& op) const {
    return "let " + op.object.sandbox + " use the services of networks " +
           list(op.object.networks) + (op.object.resolver ? ", and our resolver" : "");
  }
  std::string operator()(const Ensure<Interception>& op) const {
    const Interception& i = op.object;
    return "intercept " + i.sandbox + " (outbound to port " + std::to_string(i.outbound_port) +
           ", inbound ports " + list(i.inbound) + ")";
  }
  std::string operator()(const RemoveBridge& op) const { return "remove bridge " + op.name; }
  std::string operator()(const RemoveAttachment& op) const {
    return "remove attachment " + op.host_name;
  }
  std::string operator()(const RemoveUnderlay&) const { return "remove the underlay"; }
  std::string operator()(const RemoveHostRoute& op) const {
    return "remove the route to " + op.address.format();
  }
  std::string operator()(const RemoveOverlayNetwork& op) const {
    return "remove overlay network " + vni(op.vni);
  }
  std::string operator()(const RemoveOverlayAddress& op) const {
    return "forget where " + op.address.format() + " of " + vni(op.vni) + " is";
  }
  std::string operator()(const RemoveOverlayBlock& op) const {
    return "forget which node has " + op.prefix.format() + " of " + vni(op.vni);
  }
  std::string operator()(const RemoveService& op) const { return text("stop balancing", op.key); }
  std::string operator()(const RemoveMember& op) const {
    return "withdraw services from " + op.sandbox;
  }
  std::string operator()(const RemoveInterception& op) const {
    return "stop intercepting " + op.sandbox;
  }
  std::string operator()(const SetRules& op) const {
    std::string all;
    for (const Masquerade& m : op.masquerades) all += " " + m.subnet.format();
    std::string guarded;
    for (const NetworkRules& r : op.rules) guarded += " " + r.device;
    return (all.empty() ? "masquerade nothing" : "masquerade" + all) +
           (guarded.empty() ? "" : ", guard" + guarded);
  }
  std::string operator()(const RemoveVlan& op) const { return "remove VLAN device " + op.name; }
  std::string operator()(const ChangePublished& op) const {
    const auto count = [](std::size_t n) {
      return std::to_string(n) + (n == 1 ? " port" : " ports");
    };
    const auto first = [](const PublishedKey& key) { return " (" + format(key) + ")"; };
    std::string text;
    if (!op.put.empty()) text += "publish " + count(op.put.size()) + first(op.put.begin()->first);
    if (!op.removed.empty()) {
      text += (text.empty() ? "" : ", ") + std::string("withdraw ") + count(op.removed.size()) +
              first(*op.removed.begin());
    }
    return text.empty() ? "publish nothing" : text;
  }
  std::string operator()(const RestorePins& op) const {
    std::string all;
    for (const std::string& pin : op.pins) all += " " + pin;
    return "pin again" + all;
  }
  std::string operator()(const EndStaleFlows&) const {
    return "end the sockets that lead to backends which are gone";
  }
  std::string operator()(const SetSysctl& op) const {
    return "set sysctl " + op.name + " to " + op.value;
  }
};

}  // namespace

std::string_view name(Protocol protocol) {
  switch (protocol) {
    case Protocol::tcp:
      return "tcp";
    case Protocol::udp:
      return "udp";
    case Protocol::sctp:
      return "sctp";
  }
  return "unknown";
}

std::string format(const PublishedKey& key) {
  return SocketAddr{key.address, key.port}.format() + "/" + std::string(name(key.protocol));
}

std::string describe(const Operation& operation) {
  return std::visit(Describe{}, operation);
}

}  // namespace heddle::dataplane
