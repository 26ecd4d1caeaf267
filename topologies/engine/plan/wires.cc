#include <algorithm>

#include "common/base/nearest.h"
#include "common/base/stable_hash.h"
#include "ebpf/abi/wire.h"
#include "topologies/engine/plan/plan.h"

namespace heddle::plan {
namespace {

// Names under which a link can be asked for.
bool is_named(const Veth& veth, std::string_view name) {
  return name == veth.a.label || name == veth.b.label ||
         (joins_underlay(veth) && name == veth.a.member);
}

// Whether a fault cuts or impairs the link, or may do so by chance.
bool struck_by(const format::Fault& fault, const Veth& veth) {
  const bool of_links = std::holds_alternative<format::fault::Cut>(fault.action) ||
                        std::holds_alternative<format::fault::Impair>(fault.action);
  if (!of_links) return false;
  const auto& names = fault.on.names;
  return names.empty() ||
         std::ranges::any_of(names, [&](const std::string& name) { return is_named(veth, name); });
}

// What the file says of each link that is no host's or node's to the underlay, by its first end.
using LinkImpairments = std::map<std::string, std::optional<format::LinkImpairment>>;

LinkImpairments impairments_of(const format::Lab& lab) {
  LinkImpairments out;
  for (const format::Link& link : lab.links)
    out[link.a.node + ":" + link.a.interface] = link.impair;
  return out;
}

std::optional<format::LinkImpairment> impairment_of(const format::Lab& lab,
                                                    const LinkImpairments& of_links,
                                                    const Veth& veth) {
  if (!joins_underlay(veth)) {
    const auto found = of_links.find(veth.a.label);
    return found == of_links.end() ? std::nullopt : found->second;
  }
  const format::Host* host = lab.find_host(veth.a.member);
  const format::Node* node = lab.find_node(veth.a.member);
  const auto& own = host ? host->impair : node->impair;
  return own ? own : lab.underlay->impair;
}

std::uint64_t key_of(std::uint64_t seed, const Veth& veth, std::uint64_t way) {
  const std::uint64_t link = stable_hash(veth.b.label, stable_hash("\n", stable_hash(veth.a.label)));
  return heddle_wire_draw(heddle_wire_mix(seed ^ link), way, 0);
}

std::string wire_name(const End& end) {
  std::string name = "w-" + end.label;
  std::ranges::replace(name, ':', '-');
  return short_name(name, kMaxIfName);
}

}  // namespace

bool joins_underlay(const Veth& veth) {
  return veth.b.master == kUnderlayBridge;
}

std::uint64_t seed_of(const format::Lab& lab) {
  return lab.seed.value_or(stable_hash(lab.name));
}

void plan_wires(const format::Lab& lab, Plan& plan) {
  const std::uint64_t seed = seed_of(lab);
  const LinkImpairments of_links = impairments_of(lab);
  for (Veth& veth : plan.veths) {
    const auto impair = impairment_of(lab, of_links, veth);
    const bool struck = std::ranges::any_of(
        lab.faults, [&](const format::Fault& fault) { return struck_by(fault, veth); });
    if (!impair && !struck) continue;
    veth.wire = Wire{.near = wire_name(veth.a),
                     .far = wire_name(veth.b),
                     .impair = impair.value_or(format::LinkImpairment{}),
                     .forward_key = key_of(seed, veth, 0),
                     .backward_key = key_of(seed, veth, 1)};
    plan.has_switch = true;
  }
}

Result<const Veth*> find_link(const Plan& plan, std::string_view name) {
  std::vector<std::string> names;
  for (const Veth& veth : plan.veths) {
    if (is_named(veth, name)) return &veth;
    if (joins_underlay(veth)) {
      names.push_back(veth.a.member);
    } else {
      names.push_back(veth.a.label);
      names.push_back(veth.b.label);
    }
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto near = nearest(name, views);
  std::string hint = near ? "; did you mean \"" + std::string(*near) + "\"?" : "";
  if (!near && names.empty()) hint = "; it has none";
  if (!near && !names.empty())
    hint = "; links are named by either end, such as " + names.front();
  return fail(Errc::not_found, "lab " + plan.paths.lab() + " has no link \"" +
                                   std::string(name.substr(0, 80)) + "\"" + hint);
}

}  // namespace heddle::plan
