#include <map>
#include <optional>

#include "netd/reconcile/diff.h"

namespace heddle::reconcile {
namespace {

using dataplane::HostState;
using model::View;
using Sentences = std::vector<std::string>;

// How people call what the states hold by number and path.
class Names final {
 public:
  explicit Names(const View& view) {
    for (const auto& [id, network] : view.networks) {
      if (network.vni.value != 0) networks_[network.vni] = network.name;
    }
    for (const auto& [id, workload] : view.workloads) workloads_[workload.sandbox] = workload.name;
    for (const auto& [id, service] : view.services) services_[service.vip] = service.name;
  }

  std::string network(Vni vni) const {
    const auto found = networks_.find(vni);
    return found != networks_.end() ? found->second : "VNI " + std::to_string(vni.value);
  }
  std::string workload(const std::string& sandbox) const {
    const auto found = workloads_.find(sandbox);
    if (found != workloads_.end()) return found->second;
    return sandbox.empty() ? "an unknown workload" : sandbox;
  }
  std::string service(const dataplane::ServiceEntry& entry) const {
    const auto found = services_.find(entry.vip);
    const std::string where = SocketAddr{entry.vip, entry.port}.format() + "/" +
                              std::string(dataplane::name(entry.protocol));
    return found != services_.end() ? found->second + " (" + where + ")" : where;
  }

 private:
  std::map<Vni, std::string> networks_;
  std::map<std::string, std::string> workloads_;
  std::map<IpAddr, std::string> services_;
};

std::string join(const auto& items, auto format) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + format(item);
  return text.empty() ? "none" : text;
}

std::string format_addresses(const std::vector<IfAddr>& addresses) {
  return join(addresses, [](const IfAddr& it) { return it.format(); });
}

std::string format_routes(const std::vector<dataplane::Route>& routes) {
  return join(routes, [](const dataplane::Route& it) {
    return it.destination.format() + (it.via ? " via " + it.via->format() : "");
  });
}

std::string format_backends(const std::vector<dataplane::BackendAddress>& backends) {
  constexpr const char* kUses[] = {"", " (draining)", " (failing)"};
  return join(backends, [&](const dataplane::BackendAddress& it) {
    return SocketAddr{it.address, it.port}.format() +
           (it.weight == 1 ? "" : " x" + std::to_string(it.weight)) +
           kUses[static_cast<std::size_t>(it.use)];
  });
}

std::string format_numbers(const auto& numbers) {
  return join(numbers, [](auto number) { return std::to_string(number); });
}

// "mtu is 1500, should be 1450": collects the fields in which two objects differ.
class Fields final {
 public:
  void add(std::string_view field, const std::string& is, const std::string& should) {
    if (is == should) return;
    text_ += (text_.empty() ? "" : "; ") + std::string(field) + " is " +
             (is.empty() ? "absent" : is) + ", should be " + (should.empty() ? "absent" : should);
  }
  void add(std::string_view field, std::uint64_t is, std::uint64_t should) {
    add(field, std::to_string(is), std::to_string(should));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Walks two maps: `missing` for what is only wanted, `foreign` for what is only observed, `differs`
// for what is in both and not equal; each gives a sentence.
template <class Map, class Missing, class Differs, class Foreign>
void compare(const Map& wanted, const Map& observed, Sentences& out, Missing missing,
             Differs differs, Foreign foreign) {
  for (const auto& [key, object] : observed) {
    if (!wanted.contains(key)) out.push_back(foreign(object));
  }
  for (const auto& [key, object] : wanted) {
    const auto found = observed.find(key);
    if (found == observed.end()) {
      out.push_back(missing(object));
    } else if (found->second != object) {
      out.push_back(differs(object, found->second));
    }
  }
}

std::string title(const dataplane::Attachment& it, const Names& names) {
  return "endpoint " +
         (it.addresses.empty() ? std::string() : it.addresses.front().address.format() + " ") +
         "of " + names.workload(it.sandbox);
}

std::string word(dataplane::LinkKind kind) {
  switch (kind) {
    case dataplane::LinkKind::veth:
      return "veth";
    case dataplane::LinkKind::macvlan:
      return "macvlan";
    case dataplane::LinkKind::ipvlan:
      return "ipvlan";
  }
  return "unknown";
}

std::string word(dataplane::ParentMode mode) {
  constexpr const char* kWords[] = {"", "bridge", "vepa", "private", "passthru", "l2", "l3", "l3s"};
  return kWords[static_cast<std::size_t>(mode)];
}

std::string format_settings(const std::map<std::string, std::string>& settings) {
  return join(settings, [](const auto& it) { return it.first + "=" + it.second; });
}

std::string differences(const dataplane::Attachment& should, const dataplane::Attachment& is) {
  Fields fields;
  fields.add("kind", word(is.kind), word(should.kind));
  fields.add("parent", is.parent, should.parent);
  fields.add("mode", word(is.mode), word(should.mode));
  fields.add("sandbox", is.sandbox, should.sandbox);
  fields.add("interface", is.name, should.name);
  fields.add("MAC", is.mac.format(), should.mac.format());
  fields.add("host side MAC", is.host_mac.format(), should.host_mac.format());
  fields.add("MTU", is.mtu, should.mtu);
  fields.add("address", format_addresses(is.addresses), format_addresses(should.addresses));
  fields.add("route", format_routes(is.routes), format_routes(should.routes));
  fields.add("bridge", is.bridge, should.bridge);
  const auto program = [](const std::optional<Vni>& vni) {
    return vni ? "for VNI " + std::to_string(vni->value) : std::string();
  };
  fields.add("overlay program", program(is.overlay), program(should.overlay));
  fields.add("isolation", is.isolated ? "on" : "off", should.isolated ? "on" : "off");
  fields.add("rate towards it", is.rate_in, should.rate_in);
  fields.add("rate from it", is.rate_out, should.rate_out);
  fields.add("sysctls", format_settings(is.sysctls), format_settings(should.sysctls));
  return fields.text();
}

void explain_links(const HostState& wanted, const HostState& observed, const Names& names,
                   Sentences& out) {
  compare(
      wanted.bridges, observed.bridges, out,
      [](const dataplane::Bridge& it) { return "bridge " + it.name + " is missing"; },
      [](const dataplane::Bridge& should, const dataplane::Bridge& is) {
        Fields fields;
        fields.add("MAC", is.mac.format(), should.mac.format());
        fields.add("MTU", is.mtu, should.mtu);
        fields.add("address", format_addresses(is.addresses), format_addresses(should.addresses));
        fields.add("multicast snooping", is.multicast_snooping ? "on" : "off",
                   should.multicast_snooping ? "on" : "off");
        return "bridge " + should.name + ": " + fields.text();
      },
      [](const dataplane::Bridge& it) { return "bridge " + it.name + " belongs to no network"; });
  compare(
      wanted.vlans, observed.vlans, out,
      [](const dataplane::VlanDevice& it) { return "VLAN device " + it.name + " is missing"; },
      [](const dataplane::VlanDevice& should, const dataplane::VlanDevice& is) {
        Fields fields;
        fields.add("parent", is.parent, should.parent);
        fields.add("VLAN", is.id, should.id);
        return "VLAN device " + should.name + ": " + fields.text();
      },
      [](const dataplane::VlanDevice& it) {
        return "VLAN device " + it.name + " belongs to no network";
      });
  compare(
      wanted.attachments, observed.attachments, out,
      [&](const dataplane::Attachment& it) {
        return title(it, names) + ": link " + it.host_name + " is missing";
      },
      [&](const dataplane::Attachment& should, const dataplane::Attachment& is) {
        return title(should, names) + ": link " + should.host_name + ": " + differences(should, is);
      },
      [&](const dataplane::Attachment& it) {
        return "link " + it.host_name + " belongs to no endpoint";
      });
  compare(
      wanted.host_routes, observed.host_routes, out,
      [](const dataplane::HostRoute& it) {
        return "host route to " + it.address.format() + " through " + it.device + " is missing";
      },
      [](const dataplane::HostRoute& should, const dataplane::HostRoute& is) {
        Fields fields;
        fields.add("device", is.device, should.device);
        fields.add("neighbour", is.mac.format(), should.mac.format());
        return "host route to " + should.address.format() + ": " + fields.text();
      },
      [](const dataplane::HostRoute& it) {
        return "host route to " + it.address.format() + " belongs to no endpoint";
      });
}

void explain_underlay(const HostState& wanted, const HostState& observed, Sentences& out) {
  if (wanted.underlay == observed.underlay) return;
  if (!wanted.underlay) {
    out.push_back("VXLAN device " + observed.underlay->vxlan_name + " belongs to no swarm");
    return;
  }
  const dataplane::Underlay& should = *wanted.underlay;
  if (!observed.underlay) {
    out.push_back("underlay: VXLAN device " + should.vxlan_name + " or the program on " +
                  should.device + " is missing");
    return;
  }
  const dataplane::Underlay& is = *observed.underlay;
  Fields fields;
  fields.add("device", is.device, should.device);
  fields.add("address", is.address.format(), should.address.format());
  fields.add("VXLAN device", is.vxlan_name, should.vxlan_name);
  fields.add("VXLAN port", is.vxlan_port, should.vxlan_port);
  fields.add("MTU", is.mtu, should.mtu);
  fields.add("epoch", is.epoch, should.epoch);
  out.push_back("underlay: " + fields.text());
}

std::string whereabouts(const dataplane::OverlayAddress& it) {
  if (it.vtep) return it.vtep->format();
  return it.local_device.empty() ? "nowhere" : it.local_device;
}

void explain_overlay(const HostState& wanted, const HostState& observed, const Names& names,
                     Sentences& out) {
  compare(
      wanted.overlay_networks, observed.overlay_networks, out,
      [&](const dataplane::OverlayNetwork& it) {
        return "network map: " + names.network(it.vni) + " is missing";
      },
      [&](const dataplane::OverlayNetwork& should, const dataplane::OverlayNetwork& is) {
        Fields fields;
        fields.add("subnet", is.subnet.format(), should.subnet.format());
        fields.add("gateway", is.gateway.format(), should.gateway.format());
        fields.add("gateway MAC", is.gateway_mac.format(), should.gateway_mac.format());
        fields.add("internal", is.internal ? "yes" : "no", should.internal ? "yes" : "no");
        return "network map: " + names.network(should.vni) + ": " + fields.text();
      },
      [&](const dataplane::OverlayNetwork& it) {
        return "network map: foreign entry for " + names.network(it.vni);
      });
  compare(
      wanted.overlay_addresses, observed.overlay_addresses, out,
      [&](const dataplane::OverlayAddress& it) {
        return "address map: " + it.address.format() + " in " + names.network(it.vni) +
               " is missing, should point at " + whereabouts(it);
      },
      [&](const dataplane::OverlayAddress& should, const dataplane::OverlayAddress& is) {
        const std::string subject =
            "address map: " + should.address.format() + " in " + names.network(should.vni);
        if (whereabouts(is) != whereabouts(should)) {
          return subject + " points at " + whereabouts(is) + ", should be " + whereabouts(should);
        }
        return subject + " has MAC " + is.mac.format() + ", should be " + should.mac.format();
      },
      [&](const dataplane::OverlayAddress& it) {
        return "address map: foreign entry " + it.address.format() + " in " +
               names.network(it.vni) + " points at " + whereabouts(it);
      });
  const auto block = [&](const dataplane::OverlayBlock& it) {
    return it.prefix.format() + " in " + names.network(it.vni);
  };
  compare(
      wanted.overlay_blocks, observed.overlay_blocks, out,
      [&](const dataplane::OverlayBlock& it) {
        return "block map: " + block(it) + " is missing, should point at " + it.vtep.format();
      },
      [&](const dataplane::OverlayBlock& should, const dataplane::OverlayBlock& is) {
        Fields fields;
        fields.add("node", is.vtep.format(), should.vtep.format());
        fields.add("first MAC", is.mac.format(), should.mac.format());
        return "block map: " + block(should) + ": " + fields.text();
      },
      [&](const dataplane::OverlayBlock& it) {
        return "block map: foreign entry " + block(it) + " points at " + it.vtep.format();
      });
}

void explain_members(const HostState& wanted, const HostState& observed, const Names& names,
                     Sentences& out) {
  compare(
      wanted.members, observed.members, out,
      [&](const dataplane::Member& it) {
        return "member map: " + names.workload(it.sandbox) + " is missing";
      },
      [&](const dataplane::Member& should, const dataplane::Member& is) {
        Fields fields;
        fields.add("networks", format_numbers(is.networks), format_numbers(should.networks));
        fields.add("resolver", is.resolver ? "on" : "off", should.resolver ? "on" : "off");
        return "member map: " + names.workload(should.sandbox) + ": " + fields.text();
      },
      [&](const dataplane::Member& it) {
        return "member map: foreign entry for " + names.workload(it.sandbox);
      });
  compare(
      wanted.services, observed.services, out,
      [&](const dataplane::ServiceEntry& it) {
        return "service map: " + names.service(it) + " is missing";
      },
      [&](const dataplane::ServiceEntry& should, const dataplane::ServiceEntry& is) {
        Fields fields;
        fields.add("network", is.network, should.network);
        fields.add("backends", format_backends(is.backends), format_backends(should.backends));
        fields.add("affinity", is.affinity, should.affinity);
        return "service map: " + names.service(should) + ": " + fields.text();
      },
      [&](const dataplane::ServiceEntry& it) {
        return "service map: foreign entry " + names.service(it);
      });
  compare(
      wanted.interceptions, observed.interceptions, out,
      [&](const dataplane::Interception& it) {
        return "sidecar of " + names.workload(it.sandbox) + ": interception is missing";
      },
      [&](const dataplane::Interception& should, const dataplane::Interception& is) {
        Fields fields;
        fields.add("outbound port", is.outbound_port, should.outbound_port);
        fields.add("inbound port", is.inbound_port, should.inbound_port);
        fields.add("steered ports", format_numbers(is.inbound), format_numbers(should.inbound));
        fields.add("proxy cgroup", is.proxy_cgroup, should.proxy_cgroup);
        return "sidecar of " + names.workload(should.sandbox) + ": " + fields.text();
      },
      [&](const dataplane::Interception& it) {
        return "interception of " + names.workload(it.sandbox) + ", which has no sidecar";
      });
}

void explain_stale_flows(const HostState& observed, const Names& names, Sentences& out) {
  for (const dataplane::StaleFlow& it : observed.stale_flows) {
    const dataplane::ServiceEntry service{.network = 0,
                                          .vip = it.service.address,
                                          .port = it.service.port,
                                          .protocol = it.protocol,
                                          .backends = {}};
    out.push_back("socket " + it.client.format() + " of " + names.workload(it.sandbox) + " to " +
                  names.service(service) + " leads to " + it.backend.format() +
                  ", which is no backend any more");
  }
}

void explain_tables(const HostState& wanted, const HostState& observed, Sentences& out) {
  for (const dataplane::Masquerade& it : observed.masquerades) {
    if (wanted.masquerades.contains(it)) continue;
    out.push_back("masquerade: foreign rule for " + it.subnet.format());
  }
  for (const dataplane::Masquerade& it : wanted.masquerades) {
    if (observed.masquerades.contains(it)) continue;
    out.push_back("masquerade: rule for " + it.subnet.format() + " is missing");
  }
}

void explain_firewall(const HostState& wanted, const HostState& observed, Sentences& out) {
  for (const dataplane::NetworkRules& it : observed.rules) {
    if (wanted.rules.contains(it)) continue;
    // `altered: chain forward is missing`: the device of no network (dataplane/nft).
    const bool altered = it.device.starts_with("altered: ");
    out.push_back(altered ? "firewall: " + it.device : "firewall: foreign rules for " + it.device);
  }
  for (const dataplane::NetworkRules& it : wanted.rules) {
    if (!observed.rules.contains(it))
      out.push_back("firewall: rules for " + it.device + " are missing");
  }
  for (const auto& [key, target] : observed.published) {
    if (!wanted.published.contains(key)) {
      out.push_back("published port " + dataplane::format(key) + " belongs to no endpoint");
    }
  }
  for (const auto& [key, target] : wanted.published) {
    const std::string title = "published port " + dataplane::format(key);
    const std::string should = SocketAddr{target.address, target.port}.format();
    const auto found = observed.published.find(key);
    if (found == observed.published.end()) {
      out.push_back(title + " is missing, should lead to " + should);
    } else if (found->second != target) {
      out.push_back(title + " leads to " +
                    SocketAddr{found->second.address, found->second.port}.format() +
                    ", should lead to " + should);
    }
  }
}

void explain_pins(const HostState& observed, Sentences& out) {
  for (const std::string& pin : observed.missing_pins) {
    const bool hook = pin.starts_with("hooks/");
    out.push_back(hook ? "socket hook " + pin.substr(6) + ": pin is missing, calls pass it by"
                       : "map " + pin + ": pin is missing, a restart would lose it");
  }
}

void explain_sysctls(const HostState& wanted, const HostState& observed, Sentences& out) {
  for (const auto& [name, value] : wanted.sysctls) {
    const auto found = observed.sysctls.find(name);
    const std::string is = found == observed.sysctls.end() ? "unknown" : found->second;
    if (is != value) out.push_back("sysctl " + name + " is " + is + ", should be " + value);
  }
}

}  // namespace

Sentences explain(const HostState& wanted, const HostState& observed, const View& view) {
  const Names names(view);
  Sentences out;
  explain_pins(observed, out);
  explain_sysctls(wanted, observed, out);
  explain_underlay(wanted, observed, out);
  explain_links(wanted, observed, names, out);
  explain_overlay(wanted, observed, names, out);
  explain_members(wanted, observed, names, out);
  explain_stale_flows(observed, names, out);
  explain_tables(wanted, observed, out);
  explain_firewall(wanted, observed, out);
  return out;
}

}  // namespace heddle::reconcile
