#include "topologies/engine/plan/plan.h"

#include <algorithm>

#include "topologies/engine/format/variables.h"

namespace heddle::plan {
namespace {

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
      : lab_(lab), variables_(built_in_variables(lab, paths)), plan_{.paths = paths} {}

  Result<Plan> run() {
    plan_switch();
    for (const format::Host& host : lab_.hosts) TRY_DO(plan_host(host));
    for (const format::Node& node : lab_.nodes) plan_node(node);
    for (const format::Link& link : lab_.links) plan_link(link);
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
                               .address = IfAddr{lab_.underlay->gateway(), subnet.length()}});
    }
    for (const format::Node& node : lab_.nodes) {
      if (node.kind == format::NodeKind::bridge)
        plan_.bridges.push_back({.name = bridge_name(node.name),
                                 .mac = mac_for(lab_.name, "bridge " + node.name),
                                 .mtu = 65535,
                                 .address = std::nullopt});
    }
    plan_.has_switch = !plan_.bridges.empty();
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
              .gateway = lab_.underlay->gateway(),
              .label = member.name + ":eth0"};
    veth.b = {.member = "",
              .machine = false,
              .netns = paths().switch_netns(),
              .interface = short_name("u-" + member.name, kMaxIfName),
              .mac = mac_for(lab_.name, member.name + ":switch"),
              .addresses = {},
              .master = std::string(kUnderlayBridge),
              .gateway = std::nullopt,
              .label = "underlay:" + member.name};
    plan_.veths.push_back(std::move(veth));
  }

  Result<> plan_host(const format::Host& host) {
    Member member;
    member.name = host.name;
    member.kind = Member::Kind::host;
    member.netns = paths().netns(host.name);
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
                  {"HEDDLE_LAB", lab_.name}};
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

  void plan_node(const format::Node& node) {
    if (node.kind == format::NodeKind::bridge) return;
    Member member;
    member.name = node.name;
    member.kind = node.kind == format::NodeKind::host ? Member::Kind::machine : Member::Kind::linux;
    member.cgroup = paths().member_cgroup(node.name);
    member.log = paths().log(node.name);
    member.env = {{"HEDDLE_HOST", node.name}, {"HEDDLE_LAB", lab_.name}};
    for (const auto& [key, value] : node.env) member.env[key] = value;
    if (member.kind == Member::Kind::linux) {
      member.netns = paths().netns(node.name);
      member.own_mounts = true;
      member.binds = node.binds;
      member.sysctls = node.sysctls;
      member.address = node.underlay;
      if (member.address) {
        member.env["HEDDLE_ADDRESS"] = member.address->format();
        join_underlay(member);
      }
    }
    plan_.members.push_back(std::move(member));
  }

  End plan_end(const format::LinkEnd& link_end) const {
    End end;
    end.member = link_end.node;
    end.interface = short_name(link_end.interface, kMaxIfName);
    end.mac = link_end.mac.value_or(mac_for(lab_.name, link_end.node + ":" + link_end.interface));
    end.addresses = link_end.addresses;
    end.label = link_end.node + ":" + link_end.interface;
    const format::Node* node = lab_.find_node(link_end.node);
    if (node && node->kind == format::NodeKind::bridge) {
      end.member.clear();
      end.netns = paths().switch_netns();
      end.interface = short_name(link_end.node + "-" + link_end.interface, kMaxIfName);
      end.master = bridge_name(link_end.node);
    } else if (node ? node->kind == format::NodeKind::host : !lab_.find_host(link_end.node)) {
      end.machine = true;
    } else {
      end.netns = paths().netns(link_end.node);
    }
    return end;
  }

  void plan_link(const format::Link& link) {
    plan_.veths.push_back({.a = plan_end(link.a), .b = plan_end(link.b), .mtu = link.mtu});
  }

  const format::Lab& lab_;
  std::map<std::string, std::string> variables_;
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
