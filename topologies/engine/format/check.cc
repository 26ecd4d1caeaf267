#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "topologies/engine/format/sections.h"
#include "topologies/engine/format/variables.h"

namespace heddle::format {
namespace {

constexpr std::size_t kMaxMembers = 10'000;
constexpr std::uint64_t kFirstHost = 11;
constexpr std::uint64_t kFirstNode = 101;

class Checker {
 public:
  Checker(Lab& lab, Diagnostics& diagnostics) : lab_(lab), diagnostics_(diagnostics) {}

  void run() {
    check_names();
    give_addresses();
    check_shares();
    give_mgmt_addresses(lab_, diagnostics_);
    check_stages(lab_, diagnostics_);
    check_application(lab_, diagnostics_);
    for (std::size_t i = 0; i < lab_.links.size(); ++i) check_link(i);
    for (const Device& device : lab_.devices) check_device(device);
    check_ports();
    for (std::size_t i = 0; i < lab_.steps.size(); ++i) check_step(i);
    check_timeline(lab_, diagnostics_);
  }

 private:
  void check_names() {
    if (lab_.hosts.size() + lab_.nodes.size() > kMaxMembers)
      diagnostics_.error({}, "", "more than " + std::to_string(kMaxMembers) + " hosts and nodes");
    std::set<std::string, std::less<>> names;
    for (const Host& host : lab_.hosts) names.insert(host.name);
    for (const Node& node : lab_.nodes) {
      if (!names.insert(node.name).second)
        diagnostics_.error(node.mark, "topology.nodes." + node.name,
                           "a host has this name already; names are unique in a lab");
    }
    places_.assign(names.begin(), names.end());
    for (const std::string& place : places_) place_views_.push_back(place);
    for (const Host& host : lab_.hosts) {
      host_views_.push_back(host.name);
      hosts_[host.name] = &host;
    }
    power_views_ = host_views_;
    for (const Node& node : lab_.nodes) {
      nodes_[node.name] = &node;
      if (node.kind == NodeKind::linux) power_views_.push_back(node.name);
    }
  }

  template <class T>
  static const T* find_in(const std::unordered_map<std::string_view, const T*>& map,
                          const std::string& name) {
    const auto found = map.find(name);
    return found == map.end() ? nullptr : found->second;
  }
  const Host* find_host(const std::string& name) const { return find_in(hosts_, name); }
  const Node* find_node(const std::string& name) const { return find_in(nodes_, name); }

  void claim(const IpAddr& address, const std::string& owner, Mark mark, const std::string& path) {
    const Prefix& subnet = lab_.underlay->subnet;
    if (!subnet.contains(address)) {
      diagnostics_.error(mark, path,
                         address.format() + " is not in the underlay's subnet " + subnet.format());
      return;
    }
    if (address == subnet.at(0) || address == subnet.at(subnet.size() - 1) ||
        address == lab_.underlay->gateway()) {
      diagnostics_.error(mark, path,
                         address.format() +
                             " is the subnet's network, broadcast or "
                             "gateway address; choose another");
      return;
    }
    const auto [at, is_new] = owners_.emplace(address, owner);
    if (!is_new)
      diagnostics_.error(mark, path, address.format() + " belongs to " + at->second + " already");
  }

  std::optional<IpAddr> next_free(std::uint64_t& offset) {
    const Prefix& subnet = lab_.underlay->subnet;
    const std::uint64_t end = subnet.size() - 1;
    if (offset >= end) offset = 2;  // small subnets: from the start
    for (std::uint64_t tried = 0; tried < subnet.size() && tried <= kMaxMembers * 2; ++tried) {
      const IpAddr candidate = subnet.at(offset);
      offset = offset + 1 >= end ? 2 : offset + 1;
      if (!owners_.contains(candidate)) return candidate;
    }
    return std::nullopt;
  }

  void give_addresses() {
    for (const Host& host : lab_.hosts) {
      if (!host.address.is_unspecified())
        claim(host.address, host.name, host.mark, "hosts." + host.name + ".address");
    }
    for (const Node& node : lab_.nodes) {
      if (!node.underlay) continue;
      if (node.kind != NodeKind::linux)
        diagnostics_.error(node.mark, "topology.nodes." + node.name + ".underlay",
                           "only linux nodes join the underlay");
      if (!node.underlay->is_unspecified())
        claim(*node.underlay, node.name, node.mark, "topology.nodes." + node.name + ".underlay");
    }
    std::uint64_t host_offset = kFirstHost;
    for (Host& host : lab_.hosts) {
      if (host.address.is_unspecified()) assign(host.address, host.name, host.mark, host_offset);
    }
    std::uint64_t node_offset = kFirstNode;
    bool used = !lab_.hosts.empty();
    for (Node& node : lab_.nodes) {
      if (!node.underlay) continue;
      used = true;
      if (node.underlay->is_unspecified())
        assign(*node.underlay, node.name, node.mark, node_offset);
    }
    if (!used) lab_.underlay.reset();
  }

  void assign(IpAddr& address, const std::string& owner, Mark mark, std::uint64_t& offset) {
    const auto free = next_free(offset);
    if (!free) {
      diagnostics_.error(
          mark, owner,
          "the underlay's subnet " + lab_.underlay->subnet.format() + " has no address left");
      return;
    }
    address = *free;
    owners_.emplace(address, owner);
  }

  void check_link(std::size_t index) {
    const Link& link = lab_.links[index];
    const std::string path = "topology.links[" + std::to_string(index) + "].endpoints";
    for (const LinkEnd* end : {&link.a, &link.b}) {
      const Node* node = find_node(end->node);
      const bool pseudo =
          (end->node == "host" || end->node == "mgmt-net") && !node && !find_host(end->node);
      if (!pseudo && !std::ranges::binary_search(place_views_, end->node))
        diagnostics_.error(link.mark, path,
                           "no node or host \"" + end->node.substr(0, 80) + "\"" +
                               suggestion(end->node, place_views_));
      if (node && node->kind == NodeKind::bridge && !end->addresses.empty())
        diagnostics_.error(link.mark, path, "a bridge's port cannot have an address");
      if (end->node == "mgmt-net" && pseudo) ++ports_["mgmt-net"];
      if (node && node->kind == NodeKind::bridge) ++ports_[node->name];
      check_interface(end->node, end->interface, link.mark, path);
      check_addresses(*end, link.mark, path);
    }
  }

  void check_interface(const std::string& place, const std::string& interface, Mark mark,
                       const std::string& path) {
    if (!endpoints_.insert(place + ":" + interface).second)
      diagnostics_.error(mark, path,
                         place + ":" + interface + " is used twice; an interface has one link");
    const Node* node = find_node(place);
    if (interface == "eth0" && (find_host(place) || (node && node->underlay)))
      diagnostics_.error(mark, path, "eth0 of " + place + " is its underlay interface; take eth1");
    if (interface == "eth0" && node && node->mgmt)
      diagnostics_.error(
          mark, path,
          "eth0 of " + place + " is its management interface; take eth1, or `network-mode: none`");
    if (node && !node->shares.empty())
      diagnostics_.error(mark, path,
                         place + " has no interfaces of its own: it uses those of " + node->shares);
  }

  void check_device(const Device& device) {
    const std::string path = "topology.links";
    const Node* node = find_node(device.node);
    if (!std::ranges::binary_search(place_views_, device.node))
      diagnostics_.error(device.mark, path,
                         "no node or host \"" + device.node.substr(0, 80) + "\"" +
                             suggestion(device.node, place_views_));
    if (node && node->kind != NodeKind::linux)
      diagnostics_.error(device.mark, path,
                         device.node + " is a " + std::string(name_of(node->kind)) +
                             "; dummy, macvlan and vxlan links are for linux nodes and hosts");
    check_interface(device.node, device.interface, device.mark, path);
    check_addresses(
        {.node = device.node, .interface = device.interface, .addresses = device.addresses},
        device.mark, path);
  }

  void check_shares() {
    for (const Node& node : lab_.nodes) {
      if (node.shares.empty()) continue;
      const Node* other = find_node(node.shares);
      const std::string path = "topology.nodes." + node.name + ".network-mode";
      if (node.kind != NodeKind::linux || node.underlay || node.mgmt_ipv4 || node.mgmt_ipv6)
        diagnostics_.error(node.mark, path,
                           "a node that uses another's network has no underlay or management "
                           "address, and is a linux node");
      if (node.container && other && !other->container)
        diagnostics_.error(node.mark, path,
                           "a container can use a container's network only, and " + node.shares +
                               " is none; give it `runtime: docker` too");
      if (!other || other->kind != NodeKind::linux || !other->shares.empty())
        diagnostics_.error(node.mark, path,
                           "\"" + node.shares.substr(0, 80) +
                               "\" is no linux node with a network of its own" +
                               suggestion(node.shares, place_views_));
    }
  }

  // A Linux bridge has 1,023 ports (BR_MAX_PORTS); the next one is refused by the kernel.
  void check_ports() {
    constexpr std::size_t kMaxPorts = 1023;
    std::size_t underlay = lab_.hosts.size();
    for (const Node& node : lab_.nodes) {
      underlay += node.underlay.has_value();
      if (node.mgmt) ++ports_["mgmt-net"];
    }
    if (underlay) ports_["underlay"] = underlay;
    for (const auto& [bridge, count] : ports_) {
      if (count > kMaxPorts)
        diagnostics_.error({}, bridge,
                           std::to_string(count) +
                               " links to one bridge; a Linux bridge has at "
                               "most 1023 ports. Use several bridges");
    }
  }

  void check_addresses(const LinkEnd& end, Mark mark, const std::string& path) {
    for (const IfAddr& address : end.addresses) {
      const auto [at, is_new] = link_addresses_.emplace(address.address, end.node);
      if (!is_new)
        diagnostics_.error(mark, path,
                           address.address.format() + " is on " + at->second +
                               " already; addresses are unique in a lab");
      if (lab_.underlay && lab_.underlay->subnet.overlaps(address.prefix()))
        diagnostics_.error(
            mark, path,
            address.format() + " overlaps the underlay " + lab_.underlay->subnet.format());
    }
  }

  void check_step(std::size_t index) {
    const Step& step = lab_.steps[index];
    const std::string path = "steps[" + std::to_string(index) + "]";
    if (const auto* run = std::get_if<RunAction>(&step.action)) check_run(step, *run, path);
    if (const auto* stop = std::get_if<StopAction>(&step.action))
      end_background(step, stop->background, path + ".stop");
    if (const auto* await = std::get_if<AwaitAction>(&step.action))
      end_background(step, await->background, path + ".await");
    if (const auto* kill = std::get_if<KillAction>(&step.action))
      check_names(step, kill->hosts, {"host or linux node", power_views_}, path + ".kill");
    if (const auto* start = std::get_if<StartAction>(&step.action))
      check_names(step, start->hosts, {"host or linux node", power_views_}, path + ".start");
    if (const auto* kill = std::get_if<KillDaemonAction>(&step.action))
      check_names(step, kill->hosts, {"host", host_views_}, path + ".kill-daemon");
    if (const auto* restart = std::get_if<RestartDaemonAction>(&step.action))
      check_names(step, restart->hosts, {"host", host_views_}, path + ".restart-daemon");
    for (const Capture& capture : step.captures) captured_.insert(capture.variable);
  }

  void check_run(const Step& step, const RunAction& run, const std::string& path) {
    for (const std::string& place : run.on) {
      const Node* node = find_node(place);
      if (!std::ranges::binary_search(place_views_, place)) {
        diagnostics_.error(
            step.mark, path + ".on",
            "no host or node \"" + place.substr(0, 80) + "\"" + suggestion(place, place_views_));
      } else if (node && node->kind == NodeKind::bridge) {
        diagnostics_.error(step.mark, path + ".on", place + " is a bridge; nothing runs on it");
      }
    }
    if (!run.background.empty() && !running_.insert(run.background).second)
      diagnostics_.error(step.mark, path + ".background",
                         "\"" + run.background + "\" runs already; stop or await it first");
    for (const std::string& word : run.command) check_variables(step, word, path + ".run");
  }

  // A capture that only a later step makes is surely a mistake; other unknown names are the
  // shell's.
  void check_variables(const Step& step, const std::string& text, const std::string& path) {
    const auto found = expand(
        text,
        [&](std::string_view name) -> std::optional<std::string> {
          const bool later = !captured_.contains(name) && captures_somewhere(name);
          if (later)
            diagnostics_.error(step.mark, path,
                               "${" + std::string(name) + "} is captured by a later step");
          return std::nullopt;
        },
        Unknown::keep);
    if (!found) diagnostics_.error(step.mark, path, found.error().text());
  }

  bool captures_somewhere(std::string_view name) const {
    return std::ranges::any_of(lab_.steps, [&](const Step& step) {
      return std::ranges::any_of(step.captures,
                                 [&](const Capture& capture) { return capture.variable == name; });
    });
  }

  void end_background(const Step& step, const std::string& name, const std::string& path) {
    if (running_.erase(name)) return;
    std::vector<std::string_view> views(running_.begin(), running_.end());
    diagnostics_.error(step.mark, path,
                       "no background process \"" + name.substr(0, 80) + "\" runs at this step" +
                           suggestion(name, views));
  }

  struct Known {
    std::string what;
    const std::vector<std::string_view>& names;
  };
  void check_names(const Step& step, const std::vector<std::string>& names, const Known& known,
                   const std::string& path) {
    if (names.empty()) diagnostics_.error(step.mark, path, "names no " + known.what);
    for (const std::string& name : names) {
      if (std::ranges::find(known.names, name) != known.names.end()) continue;
      diagnostics_.error(
          step.mark, path,
          "no " + known.what + " \"" + name.substr(0, 80) + "\"" + suggestion(name, known.names));
    }
  }

  Lab& lab_;
  Diagnostics& diagnostics_;
  std::vector<std::string> places_;
  std::vector<std::string_view> place_views_;
  std::vector<std::string_view> host_views_;
  std::vector<std::string_view> power_views_;
  std::unordered_map<std::string_view, const Host*> hosts_;
  std::unordered_map<std::string_view, const Node*> nodes_;
  std::map<IpAddr, std::string> owners_;
  std::map<IpAddr, std::string> link_addresses_;
  std::set<std::string> endpoints_;
  std::map<std::string, std::size_t> ports_;  // by bridge
  std::set<std::string, std::less<>> captured_;
  std::set<std::string, std::less<>> running_;
};

}  // namespace

void check_lab(Lab& lab, Diagnostics& diagnostics) {
  Checker(lab, diagnostics).run();
}

}  // namespace heddle::format
