#include <algorithm>

#include "common/base/nearest.h"
#include "common/base/stable_hash.h"
#include "ebpf/abi/wire.h"
#include "topologies/engine/plan/plan.h"

namespace heddle::plan {
namespace {

// Names under which a link can be asked for.
bool is_named(const LinkView& link, std::string_view name) {
  return name == link.a->label || name == link.b->label ||
         (link.joins_underlay() && name == link.a->member);
}

// Whether a fault cuts or impairs the link, or may do so by chance.
bool struck_by(const format::FaultAction& action, const format::Target& on, const LinkView& link) {
  const bool of_links = std::holds_alternative<format::fault::Cut>(action) ||
                        std::holds_alternative<format::fault::Impair>(action);
  if (!of_links) return false;
  const auto& names = on.names;
  return names.empty() ||
         std::ranges::any_of(names, [&](const std::string& name) { return is_named(link, name); });
}

bool is_struck(const format::Lab& lab, const LinkView& link) {
  return std::ranges::any_of(
             lab.faults,
             [&](const format::Fault& fault) { return struck_by(fault.action, fault.on, link); }) ||
         std::ranges::any_of(lab.steps, [&](const format::Step& step) {
           const auto* fault = std::get_if<format::FaultStep>(&step.action);
           return fault && struck_by(fault->action, fault->on, link);
         });
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
                                                    const LinkView& link) {
  if (!link.joins_underlay()) {
    const auto found = of_links.find(link.a->label);
    return found == of_links.end() ? std::nullopt : found->second;
  }
  const format::Host* host = lab.find_host(link.a->member);
  const format::Node* node = lab.find_node(link.a->member);
  const auto& own = host ? host->impair : node->impair;
  return own ? own : lab.underlay->impair;
}

std::uint64_t key_of(std::uint64_t seed, const LinkView& link, std::uint64_t way) {
  return heddle_wire_draw(heddle_wire_mix(seed ^ stable_hash(link.name())), way, 0);
}

// The device that faces `end`. Nothing but the wire's program deals with what arrives there, and it
// sends nothing of its own.
End wire_end(const Plan& plan, const End& end) {
  std::string name = "w-" + end.label;
  std::ranges::replace(name, ':', '-');
  End out;
  out.netns = plan.paths.switch_netns();
  out.interface = short_name(name, kMaxIfName);
  out.mac = end.mac;
  out.mac.bytes[0] ^= 0x04;  // never a source or destination
  out.quiet = true;
  return out;
}

}  // namespace

std::uint64_t seed_of(const format::Lab& lab) {
  return lab.seed.value_or(stable_hash(lab.name) & 0xffff'ffff);  // short enough to be typed
}

void plan_wires(const format::Lab& lab, Plan& plan) {
  const std::uint64_t seed = seed_of(lab);
  const LinkImpairments of_links = impairments_of(lab);
  std::vector<Veth> whole;
  std::swap(whole, plan.veths);
  for (Veth& veth : whole) {
    const LinkView link{.a = &veth.a, .b = &veth.b};
    const auto impair = impairment_of(lab, of_links, link);
    if (!impair && !is_struck(lab, link)) {
      plan.veths.push_back(std::move(veth));
      continue;
    }
    const End near = wire_end(plan, veth.a);
    const End far = wire_end(plan, veth.b);
    plan.wires.push_back({.a = veth.a,
                          .b = veth.b,
                          .near = near.interface,
                          .far = far.interface,
                          .mtu = veth.mtu,
                          .impair = impair.value_or(format::LinkImpairment{}),
                          .forward_key = key_of(seed, link, 0),
                          .backward_key = key_of(seed, link, 1)});
    plan.veths.push_back({.a = std::move(veth.a), .b = near, .mtu = veth.mtu});
    plan.veths.push_back({.a = std::move(veth.b), .b = far, .mtu = veth.mtu});
  }
}

std::vector<LinkView> links(const Plan& plan) {
  std::vector<LinkView> out;
  for (const Veth& veth : plan.veths) {
    if (!veth.b.quiet) out.push_back({.a = &veth.a, .b = &veth.b, .mtu = veth.mtu});
  }
  for (const Wire& wire : plan.wires)
    out.push_back({.a = &wire.a, .b = &wire.b, .wire = &wire, .mtu = wire.mtu});
  return out;
}

Result<LinkView> find_link(const Plan& plan, std::string_view name) {
  std::vector<std::string> names;
  for (const LinkView& link : links(plan)) {
    if (is_named(link, name)) return link;
    if (link.joins_underlay()) {
      names.push_back(link.a->member);
    } else {
      names.push_back(link.a->label);
      names.push_back(link.b->label);
    }
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto near = nearest(name, views);
  std::string hint = near ? "; did you mean \"" + std::string(*near) + "\"?" : "";
  if (!near && names.empty()) hint = "; it has none";
  if (!near && !names.empty()) hint = "; links are named by either end, such as " + names.front();
  return fail(Errc::not_found, "lab " + plan.paths.lab() + " has no link \"" +
                                   std::string(name.substr(0, 80)) + "\"" + hint);
}

}  // namespace heddle::plan
