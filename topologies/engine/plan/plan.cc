#include "topologies/engine/plan/plan.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "topologies/engine/format/variables.h"

namespace heddle::plan {
namespace {

constexpr std::string_view kMgmtBridge = "mgmt";  // a node's bridge begins with `br-`

// Stable over deploys, so that neighbours' caches survive a host's power cut as they would outside.
Mac mac_for(std::string_view lab, std::string_view what) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (std::string_view part : {lab, std::string_view("/"), what}) {
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  Mac mac;
  for (std::uint8_t& byte : mac.bytes) {
    byte = static_cast<std::uint8_t>(hash);
    hash >>= 8;
  }
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] & 0xfc) | 0x02);  // local, unicast
  return mac;
}

std::string bridge_name(std::string_view node) {
  return short_name("br-" + std::string(node), kMaxIfName);
}

class Planner {
 public:
  Planner(const format::Lab& lab, const LabPaths& paths)
      : lab_(lab), variables_(built_in_variables(lab, paths)), plan_{.paths = paths} {
    for (const format::Node& node : lab.nodes) nodes_[node.name] = &node;
    for (const format::Host& host : lab.hosts) hosts_.insert(host.name);
  }

  Result<Plan> run() {
    plan_switch();
    for (const format::Host& host : lab_.hosts) TRY_DO(plan_host(host));
    for (const format::Node& node : lab_.nodes) plan_node(node);
    for (const format::Link& link : lab_.links) plan_link(link);
    for (const format::Device& device : lab_.devices) plan_device(device);
    plan_.application = plan_application(lab_);
    plan_wires(lab_, plan_);
    return std::move(plan_);
  }

 private:
  const LabPaths& paths() const { return plan_.paths; }

  void plan_switch() {
    if (lab_.underlay) {
      const Prefix& subnet = lab_.underlay->subnet;
      plan_.bridges.push_back({.name = std::string(kUnderlayBridge),
                               .mac = mac_for(lab_.name, "underlay"),
                               .mtu = lab_.underlay->mtu,
                               .addresses = {IfAddr{lab_.underlay->gateway(), subnet.length()}}});
    }
    if (lab_.mgmt) plan_mgmt(*lab_.mgmt);
    for (const format::Node& node : lab_.nodes) {
      if (node.kind == format::NodeKind::bridge)
        plan_.bridges.push_back({.name = bridge_name(node.name),
                                 .mac = mac_for(lab_.name, "bridge " + node.name),
                                 .mtu = 65535,
                                 .addresses = {}});
    }
  }

  void plan_mgmt(const format::Mgmt& mgmt) {
    Bridge bridge{.name = std::string(kMgmtBridge),
                  .mac = mac_for(lab_.name, "mgmt"),
                  .mtu = mgmt.mtu,
                  .addresses = {}};
    if (mgmt.ipv4) bridge.addresses.push_back({*mgmt.ipv4_gateway, mgmt.ipv4->length()});
    if (mgmt.ipv6) bridge.addresses.push_back({*mgmt.ipv6_gateway, mgmt.ipv6->length()});
    plan_.bridges.push_back(std::move(bridge));
  }

  void join_underlay(const Member& member) {
    Veth veth;
    veth.mtu = lab_.underlay->mtu;
    veth.a = {.member = member.name,
              .machine = false,
              .netns = member.netns,
              .interface = "eth0",
              .mac = mac_for(lab_.name, member.name + ":eth0"),
              .addresses = {IfAddr{*member.address, lab_.underlay->subnet.length()}},
              .master = "",
              .gateways = {lab_.underlay->gateway()},
              .label = member.name + ":eth0"};
    veth.b = {.member = "",
              .machine = false,
              .netns = paths().switch_netns(),
              .interface = short_name("u-" + member.name, kMaxIfName),
              .mac = mac_for(lab_.name, member.name + ":switch"),
              .addresses = {},
              .master = std::string(kUnderlayBridge),
              .gateways = {},
              .label = "underlay:" + member.name};
    plan_.veths.push_back(std::move(veth));
  }

  void join_mgmt(const Member& member, const format::Node& node) {
    const format::Mgmt& mgmt = *lab_.mgmt;
    Veth veth;
    veth.mtu = mgmt.mtu;
    veth.a = {.member = member.name,
              .machine = false,
              .netns = member.netns,
              .interface = "eth0",
              .mac = mac_for(lab_.name, member.name + ":eth0"),
              .addresses = {},
              .master = "",
              .gateways = {},
              .label = member.name + ":eth0"};
    if (node.mgmt_ipv4) {
      veth.a.addresses.push_back({*node.mgmt_ipv4, mgmt.ipv4->length()});
      veth.a.gateways.push_back(*mgmt.ipv4_gateway);
    }
    if (node.mgmt_ipv6 && mgmt.ipv6) {
      veth.a.addresses.push_back({*node.mgmt_ipv6, mgmt.ipv6->length()});
      veth.a.gateways.push_back(*mgmt.ipv6_gateway);
    }
    veth.b = {.member = "",
              .machine = false,
              .netns = paths().switch_netns(),
              .interface = short_name("m-" + member.name, kMaxIfName),
              .mac = mac_for(lab_.name, member.name + ":mgmt"),
              .addresses = {},
              .master = std::string(kMgmtBridge),
              .gateways = {},
              .label = "mgmt-net:" + member.name};
    plan_.veths.push_back(std::move(veth));
  }

  Result<> plan_host(const format::Host& host) {
    Member member;
    member.name = host.name;
    member.kind = Member::Kind::host;
    member.netns = paths().netns(host.name);
    member.owns_netns = true;
    member.hostname = host.name;
    member.cgroup = paths().member_cgroup(host.name);
    member.address = host.address;
    member.daemon = host.daemon;
    member.run_dir = paths().host_run(host.name);
    member.state_dir = paths().host_state(host.name);
    member.files_dir = paths().host_files(host.name);
    member.socket = paths().host_socket(host.name);
    member.log = paths().log(host.name);
    member.env = {{"HEDDLE_SOCKET", member.socket},
                  {"HEDDLE_HOST", host.name},
                  {"HEDDLE_ADDRESS", host.address.format()},
                  {"HEDDLE_FILES", member.files_dir},
                  {"HEDDLE_LAB", lab_.name},
                  {"HEDDLE_CLOCK_OFFSET_FILE", paths().clock(host.name)}};
    for (const auto& [key, value] : host.env) member.env[key] = value;
    for (const auto& [path, content] : host.files) {
      TRY(member.files[member.files_dir + "/" + path],
          fill(content, host.name).during("hosts." + host.name + ".files." + path));
    }
    join_underlay(member);
    plan_.members.push_back(std::move(member));
    return {};
  }

  // Host files know the lab's variables and, as `${host.…}`, their own host's.
  Result<std::string> fill(const std::string& text, const std::string& host) const {
    return format::expand(
        text,
        [&](std::string_view name) -> std::optional<std::string> {
          std::string key(name);
          if (key.starts_with("host.")) key = host + key.substr(4);
          const auto found = variables_.find(key);
          if (found == variables_.end()) return std::nullopt;
          return found->second;
        },
        format::Unknown::refuse);
  }

  void plan_node(const format::Node& given) {
    if (given.kind == format::NodeKind::bridge) return;
    Member member;
    format::Node node = with_directories(given, member);
    member.name = node.name;
    member.kind = node.kind == format::NodeKind::host ? Member::Kind::machine : Member::Kind::linux;
    member.cgroup = paths().member_cgroup(node.name);
    member.hostname = node.hostname.empty() ? node.name : node.hostname;
    member.log = paths().log(node.name);
    member.env = {{"HEDDLE_HOST", node.name}, {"HEDDLE_LAB", lab_.name}};
    for (const auto& [key, value] : node.env) member.env[key] = value;
    if (member.kind == Member::Kind::linux) {
      member.owns_netns = node.shares.empty();
      member.netns = paths().netns(member.owns_netns ? node.name : node.shares);
      member.own_mounts = !node.container;
      if (node.container) member.container = paths().container(node.name);
      member.binds = node.binds;
      member.sysctls = node.sysctls;
      member.address = node.underlay;
      if (member.address) {
        member.env["HEDDLE_ADDRESS"] = member.address->format();
        join_underlay(member);
      }
      if (node.mgmt && lab_.mgmt) join_mgmt(member, node);
    }
    node.impair.reset();  // of a link
    member.node = std::move(node);
    plan_.members.push_back(std::move(member));
  }

  // containerlab's names for a lab's and a node's directory.
  format::Node with_directories(const format::Node& given, Member& member) const {
    format::Node node = given;
    const std::string own = paths().node_dir() + "/" + node.name;
    bool used = false;
    const auto fill = [&](std::string& text) {
      for (const auto& [name, path] :
           {std::pair<std::string_view, std::string>("__clabNodeDir__", own),
            {"__clabDir__", paths().node_dir()}}) {
        for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at)) {
          text.replace(at, name.size(), path);
          used = true;
        }
      }
    };
    std::ranges::for_each(node.binds, fill);
    std::ranges::for_each(node.exec, fill);
    fill(node.command);
    if (node.container) {
      std::ranges::for_each(node.container->entrypoint, fill);
      std::ranges::for_each(node.container->command, fill);
    }
    for (auto& [key, value] : node.env) fill(value);
    if (used) member.directories.push_back(own);
    return node;
  }

  End plan_end(const format::LinkEnd& link_end) const {
    End end;
    end.member = link_end.node;
    end.interface = short_name(link_end.interface, kMaxIfName);
    end.mac = link_end.mac.value_or(mac_for(lab_.name, link_end.node + ":" + link_end.interface));
    end.addresses = link_end.addresses;
    end.label = link_end.node + ":" + link_end.interface;
    if (is_mgmt_net(link_end.node)) {
      end.member.clear();
      end.netns = paths().switch_netns();
      end.interface = short_name(link_end.node + "-" + link_end.interface, kMaxIfName);
      end.master = kMgmtBridge;
      return end;
    }
    const auto found = nodes_.find(link_end.node);
    const format::Node* node = found == nodes_.end() ? nullptr : found->second;
    if (node && node->kind == format::NodeKind::bridge) {
      end.member.clear();
      end.netns = paths().switch_netns();
      end.interface = short_name(link_end.node + "-" + link_end.interface, kMaxIfName);
      end.master = bridge_name(link_end.node);
    } else if (node ? node->kind == format::NodeKind::host : !hosts_.contains(link_end.node)) {
      end.machine = true;
    } else {
      end.netns = paths().netns(link_end.node);
    }
    return end;
  }

  bool is_mgmt_net(const std::string& name) const {
    return name == "mgmt-net" && !nodes_.contains(name) && !hosts_.contains(name);
  }

  void plan_device(const format::Device& device) {
    plan_.devices.push_back({.end = plan_end({.node = device.node,
                                              .interface = device.interface,
                                              .mac = device.mac,
                                              .addresses = device.addresses}),
                             .what = device});
  }

  void plan_link(const format::Link& link) {
    plan_.veths.push_back({.a = plan_end(link.a), .b = plan_end(link.b), .mtu = link.mtu});
  }

  const format::Lab& lab_;
  std::map<std::string, std::string> variables_;
  std::unordered_map<std::string_view, const format::Node*> nodes_;
  std::unordered_set<std::string_view> hosts_;
  Plan plan_;
};

}  // namespace

const Member* Plan::find(std::string_view name) const {
  const auto found = std::ranges::find(members, name, &Member::name);
  return found == members.end() ? nullptr : &*found;
}

std::vector<Veth> Plan::veths_of(std::string_view member) const {
  std::vector<Veth> out;
  for (const Veth& veth : veths) {
    if (veth.a.member == member || veth.b.member == member) out.push_back(veth);
  }
  return out;
}

Result<Plan> plan_lab(const format::Lab& lab, const LabPaths& paths) {
  return Planner(lab, paths).run();
}

std::map<std::string, std::string> built_in_variables(const format::Lab& lab,
                                                      const LabPaths& paths) {
  std::map<std::string, std::string> out{{"lab.name", lab.name}, {"lab.dir", lab.directory}};
  for (const format::Host& host : lab.hosts) {
    out[host.name + ".name"] = host.name;
    out[host.name + ".address"] = host.address.format();
    out[host.name + ".files"] = paths.host_files(host.name);
    out[host.name + ".run"] = paths.host_run(host.name);
    out[host.name + ".state"] = paths.host_state(host.name);
    out[host.name + ".socket"] = paths.host_socket(host.name);
  }
  for (const format::Node& node : lab.nodes) {
    out[node.name + ".name"] = node.name;
    if (node.underlay) out[node.name + ".address"] = node.underlay->format();
  }
  return out;
}

}  // namespace heddle::plan
