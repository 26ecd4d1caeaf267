#include "topologies/engine/plan/diff.h"

#include <algorithm>
#include <map>
#include <set>

namespace heddle::plan {
namespace {

using Names = std::set<std::string, std::less<>>;

// Where it is: no other link has both these ends.
std::string key_of(const End& end) {
  return (end.machine ? "/" : end.netns) + " " + end.interface;
}
std::string key_of(const Veth& link) {
  return key_of(link.a) + " " + key_of(link.b);
}
std::string key_of(const Device& device) {
  return key_of(device.end);
}
bool touches(const Veth& link, const Names& members) {
  return members.contains(link.a.member) || members.contains(link.b.member);
}
bool touches(const Device& device, const Names& members) {
  return members.contains(device.end.member);
}

template <class T>
std::map<std::string_view, const T*> by_name(const std::vector<T>& all) {
  std::map<std::string_view, const T*> out;
  for (const T& one : all) out[one.name] = &one;
  return out;
}

class Differ {
 public:
  Differ(const Plan& deployed, const Plan& wanted) : deployed_(deployed), wanted_(wanted) {}

  Diff run() {
    diff_bridges();
    diff_members();
    diff_parts(deployed_.veths, wanted_.veths, out_.links_removed, out_.links_added);
    diff_parts(deployed_.devices, wanted_.devices, out_.devices_removed, out_.devices_added);
    describe_links();
    diff_application(deployed_.application, wanted_.application);
    return std::move(out_);
  }

 private:
  void diff_bridges() {
    const auto before = by_name(deployed_.bridges);
    const auto after = by_name(wanted_.bridges);
    for (const auto& [name, bridge] : before) {
      const auto found = after.find(name);
      if (found == after.end()) {
        out_.bridges_removed.emplace_back(name);
      } else if (*found->second != *bridge) {
        out_.refused.push_back(std::string(name) +
                               ": subnet, gateway and mtu of the network that joins members "
                               "cannot change while it runs; destroy the lab and deploy it again");
      }
    }
    for (const auto& [name, bridge] : after) {
      if (!before.contains(name)) out_.bridges_added.emplace_back(name);
    }
  }

  void diff_members() {
    const auto before = by_name(deployed_.members);
    const auto after = by_name(wanted_.members);
    for (const auto& [name, member] : before) {
      const auto found = after.find(name);
      if (found == after.end()) {
        out_.members_removed.emplace_back(name);
      } else if (*found->second != *member) {
        diff_member(*member, *found->second);
      }
    }
    for (const auto& [name, member] : after) {
      if (!before.contains(name)) out_.members_added.emplace_back(name);
    }
    // Whoever uses the network of one that goes has none any more.
    for (const auto& [name, member] : after) {
      const bool shares = member->node && !member->node->shares.empty();
      if (shares && std::ranges::count(out_.members_removed, member->node->shares) > 0 &&
          before.contains(name) && std::ranges::count(out_.members_removed, name) == 0)
        make_again(member->name);
    }
    gone_.insert(out_.members_removed.begin(), out_.members_removed.end());
    new_.insert(out_.members_added.begin(), out_.members_added.end());
  }

  void diff_member(const Member& before, const Member& after) {
    if (before.kind != Member::Kind::host || after.kind != Member::Kind::host) {
      make_again(after.name);
      return;
    }
    const auto refuse = [&](std::string_view key) {
      out_.refused.push_back("hosts." + after.name + "." + std::string(key) +
                             ": cannot change while the host runs; deploy without the host, then "
                             "with it, or destroy the lab");
    };
    if (before.address != after.address) refuse("address");
    if (before.daemon != after.daemon) refuse("daemon");
    out_.hosts_refreshed.push_back(after.name);
  }

  void make_again(const std::string& name) {
    out_.members_removed.push_back(name);
    out_.members_added.push_back(name);
  }

  template <class T>
  void diff_parts(const std::vector<T>& deployed, const std::vector<T>& wanted,
                  std::vector<T>& removed, std::vector<T>& added) const {
    std::map<std::string, const T*> before;
    std::map<std::string, const T*> after;
    for (const T& part : deployed) before[key_of(part)] = &part;
    for (const T& part : wanted) after[key_of(part)] = &part;
    for (const T& part : deployed) {
      const auto found = after.find(key_of(part));
      if (found == after.end() || *found->second != part || touches(part, gone_))
        removed.push_back(part);
    }
    for (const T& part : wanted) {
      const auto found = before.find(key_of(part));
      if (found == before.end() || *found->second != part || touches(part, new_) ||
          touches(part, gone_))
        added.push_back(part);
    }
  }

  void describe_links() {
    std::map<std::string, LinkView> before;
    std::map<std::string, LinkView> after;
    for (const LinkView& link : links(deployed_)) before.emplace(link.name(), link);
    for (const LinkView& link : links(wanted_)) after.emplace(link.name(), link);
    const auto touched = [&](const LinkView& link) {
      return gone_.contains(link.a->member) || gone_.contains(link.b->member);
    };
    for (const auto& [name, link] : before) {
      if (!after.contains(name)) out_.link_changes.push_back("remove link " + name);
    }
    for (const auto& [name, link] : after) {
      const auto found = before.find(name);
      if (found == before.end()) {
        out_.link_changes.push_back("add link " + name);
        continue;
      }
      const LinkView& old = found->second;
      const bool same_kind = (old.wire != nullptr) == (link.wire != nullptr);
      const bool same_ends = *old.a == *link.a && *old.b == *link.b && old.mtu == link.mtu;
      if (touched(link) || !same_kind || !same_ends) {
        out_.link_changes.push_back("make again link " + name);
      } else if (link.wire && *old.wire != *link.wire) {
        out_.link_changes.push_back("impair link " + name + " as the file says now");
      }
    }
  }

  void diff_application(const Application& before, const Application& after) {
    Application& removed = out_.application_removed;
    Application& added = out_.application_added;
    added.swarm = after.swarm;
    if (!before.swarm.manager.empty()) {
      added.swarm.init.clear();
      std::erase_if(added.swarm.joiners, [&](const SwarmPlan::Joiner& joiner) {
        return !new_.contains(joiner.host) && std::ranges::count(before.swarm.joiners, joiner) > 0;
      });
      if (added.swarm.joiners.empty()) added.swarm = {};
      if (before.swarm.manager != after.swarm.manager)
        out_.refused.push_back("hosts." + before.swarm.manager +
                               ": holds the lab's swarm, which cannot move; keep it first among "
                               "the hosts, and an overlay, or destroy the lab");
    }
    for (const NetworkPlan& network : before.networks) {
      if (std::ranges::count(after.networks, network) == 0) removed.networks.push_back(network);
    }
    for (const WorkloadPlan& workload : before.workloads) {
      if (std::ranges::count(after.workloads, workload) == 0 || on_new_network(workload, after))
        removed.workloads.push_back(workload);
    }
    for (NetworkPlan network : after.networks) {
      if (std::ranges::count(before.networks, network) > 0) {
        std::erase_if(network.hosts, [&](const auto& host) { return !new_.contains(host); });
        std::erase_if(network.seen, [&](const auto& host) { return !new_.contains(host); });
        if (network.seen.empty()) continue;
      }
      added.networks.push_back(std::move(network));
    }
    for (const WorkloadPlan& workload : after.workloads) {
      if (std::ranges::count(before.workloads, workload) == 0 || new_.contains(workload.host) ||
          on_new_network(workload, after))
        added.workloads.push_back(workload);
    }
  }

  // Its network is made again under it.
  bool on_new_network(const WorkloadPlan& workload, const Application& after) const {
    return std::ranges::any_of(out_.application_removed.networks, [&](const NetworkPlan& network) {
      return std::ranges::count(workload.run, network.name) > 0 &&
             std::ranges::any_of(after.networks, [&](const NetworkPlan& other) {
               return other.name == network.name;
             });
    });
  }

  const Plan& deployed_;
  const Plan& wanted_;
  Diff out_;
  Names gone_;
  Names new_;
};

}  // namespace

Diff diff(const Plan& deployed, const Plan& wanted) {
  return Differ(deployed, wanted).run();
}

std::vector<std::string> describe(const Diff& diff) {
  std::vector<std::string> out;
  const auto is_in = [](const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  for (const Device& device : diff.devices_removed) out.push_back("remove " + device.end.label);
  for (const std::string& name : diff.members_removed)
    out.push_back((is_in(diff.members_added, name) ? "make again " : "remove ") + name);
  for (const std::string& name : diff.bridges_removed) out.push_back("remove bridge " + name);
  for (const std::string& name : diff.bridges_added) out.push_back("add bridge " + name);
  for (const std::string& name : diff.members_added) {
    if (!is_in(diff.members_removed, name)) out.push_back("add " + name);
  }
  out.insert(out.end(), diff.link_changes.begin(), diff.link_changes.end());
  for (const Device& device : diff.devices_added) out.push_back("add " + device.end.label);
  for (const std::string& name : diff.hosts_refreshed)
    out.push_back("give " + name + " its new env and files");
  for (const WorkloadPlan& workload : diff.application_removed.workloads)
    out.push_back("remove " + workload.name + " from " + workload.host);
  for (const NetworkPlan& network : diff.application_removed.networks)
    out.push_back("remove network " + network.name);
  if (!diff.application_added.swarm.init.empty())
    out.push_back("start a swarm on " + diff.application_added.swarm.manager);
  for (const SwarmPlan::Joiner& joiner : diff.application_added.swarm.joiners)
    out.push_back("join " + joiner.host + " to the swarm");
  for (const NetworkPlan& network : diff.application_added.networks) {
    if (!network.hosts.empty()) out.push_back("create network " + network.name);
  }
  for (const WorkloadPlan& workload : diff.application_added.workloads)
    out.push_back("run " + workload.name + " on " + workload.host);
  return out;
}

}  // namespace heddle::plan
