#include "topologies/engine/graph/graph.h"

#include <algorithm>
#include <map>

namespace heddle::graph {
namespace {

constexpr std::string_view kUnderlay = "underlay";
constexpr std::size_t kLinesShown = 8;  // of exec

class Maker {
 public:
  explicit Maker(const format::Lab& lab) : lab_(lab) { graph_.lab = lab.name; }

  Graph run() {
    for (const format::Host& host : lab_.hosts) add_host(host);
    for (const format::Node& node : lab_.nodes) add_node(node);
    add_mgmt();
    add_machine();
    add_underlay();
    for (const format::Device& device : lab_.devices) add_device(device);
    for (const format::Service& service : lab_.services) add_service(service);
    for (const format::Link& link : lab_.links) add_link(link);
    return std::move(graph_);
  }

 private:
  std::string command(std::string_view verb, const std::string& rest) const {
    return "heddle lab " + std::string(verb) + " --name " + shell_word(lab_.name) + " " + rest;
  }
  std::string capture(const std::string& link) const {
    return command("capture", shell_word(link) + " | wireshark -k -i -");
  }

  Node& add(const std::string& name, std::string kind) {
    index_[name] = graph_.nodes.size();
    Node node;
    node.name = name;
    node.kind = std::move(kind);
    graph_.nodes.push_back(std::move(node));
    return graph_.nodes.back();
  }

  void add_host(const format::Host& host) {
    Node& node = add(host.name, "host");
    node.address = host.address.format();
    if (!host.daemon) node.details.emplace_back("heddled", "does not run here");
    for (const auto& [key, value] : host.env) node.details.emplace_back(key, value);
    for (const auto& [path, content] : host.files)
      node.details.emplace_back("file", path + ", " + std::to_string(content.size()) + " bytes");
    node.commands.push_back(command("exec", shell_word(host.name) + " -- bash"));
    if (host.daemon)
      node.commands.push_back(command("exec", shell_word(host.name) + " -- heddle verify"));
  }

  void add_node(const format::Node& from) {
    Node& node =
        add(from.name,
            from.kind == format::NodeKind::host ? "machine" : std::string(name_of(from.kind)));
    node.group = from.group;
    if (from.underlay) node.address = from.underlay->format();
    if (!from.command.empty()) node.details.emplace_back("runs", from.command);
    for (std::size_t i = 0; i < from.exec.size() && i < kLinesShown; ++i)
      node.details.emplace_back("exec", from.exec[i]);
    if (from.exec.size() > kLinesShown)
      node.details.emplace_back("exec", std::to_string(from.exec.size() - kLinesShown) + " more");
    for (const auto& [key, value] : from.env) node.details.emplace_back(key, value);
    for (const auto& [key, value] : from.sysctls) node.details.emplace_back(key, value);
    for (const std::string& bind : from.binds) node.details.emplace_back("bind", bind);
    if (from.kind != format::NodeKind::bridge)
      node.commands.push_back(command("exec", shell_word(from.name) + " -- bash"));
  }

  // An interface that leads to no other node is its own node's.
  void add_device(const format::Device& device) {
    const auto found = index_.find(device.node);
    if (found == index_.end()) return;
    std::string text = device.kind == format::Device::Kind::dummy ? "leads nowhere"
                       : device.kind == format::Device::Kind::macvlan
                           ? "macvlan of " + device.parent
                           : "VXLAN to " + device.remote.format();
    for (const IfAddr& address : device.addresses) text += ", " + address.format();
    graph_.nodes[found->second].details.emplace_back(device.interface, text);
  }

  void add_service(const format::Service& service) {
    for (const std::string& host : service.hosts) {
      const auto found = index_.find(host);
      if (found != index_.end())
        graph_.nodes[found->second].details.emplace_back("service", service.name);
    }
  }

  void add_mgmt() {
    if (!lab_.mgmt) return;
    Node& mgmt = add("mgmt-net", "underlay");
    if (lab_.mgmt->ipv4) mgmt.details.emplace_back("subnet", lab_.mgmt->ipv4->format());
    if (lab_.mgmt->ipv6) mgmt.details.emplace_back("subnet", lab_.mgmt->ipv6->format());
    const std::size_t network = graph_.nodes.size() - 1;
    for (const format::Node& node : lab_.nodes) {
      if (!node.mgmt_ipv4 && !node.mgmt_ipv6) continue;
      Link link;
      link.a = {.node = index_.at(node.name), .interface = "eth0", .addresses = {}};
      if (node.mgmt_ipv4) link.a.addresses.push_back(node.mgmt_ipv4->format());
      if (node.mgmt_ipv6) link.a.addresses.push_back(node.mgmt_ipv6->format());
      link.b = {.node = network, .interface = "", .addresses = {}};
      link.mtu = lab_.mgmt->mtu;
      link.commands = {capture(node.name + ":eth0")};
      graph_.links.push_back(std::move(link));
    }
  }

  // containerlab's `host:` needs no node of its own.
  void add_machine() {
    const bool used = std::ranges::any_of(lab_.links, [&](const format::Link& link) {
      return !index_.contains(link.a.node) || !index_.contains(link.b.node);
    });
    if (used) add("host", "machine");
  }

  void add_underlay() {
    if (!lab_.underlay) return;
    std::string name(kUnderlay);
    while (index_.contains(name)) name += "'";
    Node& node = add(name, "underlay");
    node.address = lab_.underlay->gateway().format();
    node.details.emplace_back("subnet", lab_.underlay->subnet.format());
    const std::size_t underlay = graph_.nodes.size() - 1;
    for (const format::Host& host : lab_.hosts)
      join(host.name, host.address, host.impair, underlay);
    for (const format::Node& from : lab_.nodes) {
      if (from.underlay) join(from.name, *from.underlay, from.impair, underlay);
    }
  }

  void join(const std::string& name, const IpAddr& address,
            const std::optional<format::LinkImpairment>& own, std::size_t underlay) {
    Link link;
    link.a = {.node = index_.at(name),
              .interface = "eth0",
              .addresses = {IfAddr{address, lab_.underlay->subnet.length()}.format()}};
    link.b = {.node = underlay, .interface = "", .addresses = {}};
    link.mtu = lab_.underlay->mtu;
    impair(link, own ? own : lab_.underlay->impair);
    link.commands = {capture(name)};
    graph_.links.push_back(std::move(link));
  }

  static void impair(Link& link, const std::optional<format::LinkImpairment>& impairment) {
    if (!impairment) return;
    link.forward = format::describe(impairment->forward);
    link.backward = format::describe(impairment->backward);
  }

  End end_of(const format::LinkEnd& from) const {
    const auto found = index_.find(from.node);
    End end{.node = found == index_.end() ? index_.at("host") : found->second,
            .interface = from.interface,
            .addresses = {}};
    for (const IfAddr& address : from.addresses) end.addresses.push_back(address.format());
    return end;
  }

  void add_link(const format::Link& from) {
    Link link;
    link.a = end_of(from.a);
    link.b = end_of(from.b);
    link.mtu = from.mtu;
    impair(link, from.impair);
    link.commands = {capture(from.a.node + ":" + from.a.interface)};
    graph_.links.push_back(std::move(link));
  }

  const format::Lab& lab_;
  Graph graph_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace

std::optional<std::size_t> Graph::find(std::string_view node) const {
  const auto found = std::ranges::find(nodes, node, &Node::name);
  if (found == nodes.end()) return std::nullopt;
  return static_cast<std::size_t>(found - nodes.begin());
}

Graph graph_of(const format::Lab& lab) {
  return Maker(lab).run();
}

void add_status(Graph& graph, const control::LabStatus& status) {
  std::map<std::string_view, std::string_view> states;
  for (const control::MemberStatus& member : status.members) states[member.name] = member.state;
  for (Node& node : graph.nodes) {
    const auto found = states.find(node.name);
    node.state = found == states.end() ? "running" : std::string(found->second);
  }
  std::map<std::string_view, const control::LinkStatus*> links;
  for (const control::LinkStatus& link : status.links) links[link.a] = &link;
  for (Link& link : graph.links) {
    const auto live = links.find(graph.nodes[link.a.node].name + ":" + link.a.interface);
    if (live != links.end()) {
      link.state = live->second->state;
      link.forward = format::describe(live->second->forward.impairment);
      link.backward = format::describe(live->second->backward.impairment);
      continue;
    }
    const bool dark =
        graph.nodes[link.a.node].state == "down" || graph.nodes[link.b.node].state == "down";
    link.state = dark ? "cut" : "up";
  }
}

std::string shell_word(std::string_view text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':' || c == '/' || c == '@';
  });
  if (plain) return std::string(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace heddle::graph
