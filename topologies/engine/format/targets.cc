#include "topologies/engine/format/targets.h"

#include <algorithm>
#include <set>

namespace heddle::format {
namespace {

template <class... Actions>
bool is_any(const FaultAction& action) {
  return (std::holds_alternative<Actions>(action) || ...);
}

std::vector<std::string> host_names(const Lab& lab) {
  std::vector<std::string> out;
  for (const Host& host : lab.hosts) out.push_back(host.name);
  return out;
}

std::vector<std::string> daemon_names(const Lab& lab) {
  std::vector<std::string> out;
  for (const Host& host : lab.hosts) {
    if (host.daemon) out.push_back(host.name);
  }
  return out;
}

std::vector<std::string> linux_names(const Lab& lab) {
  std::vector<std::string> out;
  for (const Node& node : lab.nodes) {
    if (node.kind == NodeKind::linux) out.push_back(node.name);
  }
  return out;
}

std::vector<std::string> underlay_names(const Lab& lab) {
  std::vector<std::string> out = host_names(lab);
  for (const Node& node : lab.nodes) {
    if (node.underlay) out.push_back(node.name);
  }
  return out;
}

void append(std::vector<std::string>& to, const std::vector<std::string>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

std::string end_name(const LinkEnd& end) {
  return end.node + ":" + end.interface;
}

}  // namespace

std::string link_name(const Lab& lab, std::string_view any_name) {
  for (const std::string& name : underlay_names(lab)) {
    if (any_name == name || any_name == name + ":eth0") return name + ":eth0";
  }
  for (const Link& link : lab.links) {
    if (any_name == end_name(link.a) || any_name == end_name(link.b)) return end_name(link.a);
  }
  return "";
}

std::vector<std::string> link_names(const Lab& lab) {
  std::vector<std::string> out;
  for (const std::string& name : underlay_names(lab)) out.push_back(name + ":eth0");
  for (const Link& link : lab.links) out.push_back(end_name(link.a));
  return out;
}

std::vector<std::string> process_names(const Lab& lab) {
  std::set<std::string> names;
  for (const Node& node : lab.nodes) {
    if (!node.command.empty()) names.insert("cmd." + node.name);
  }
  for (const Step& step : lab.steps) {
    const auto* run = std::get_if<RunAction>(&step.action);
    if (run && !run->background.empty()) names.insert(run->background);
  }
  return {names.begin(), names.end()};
}

std::vector<std::string> can_be_hit(const Lab& lab, const FaultAction& action) {
  if (is_any<fault::Stop>(action)) return process_names(lab);
  if (is_any<fault::KillDaemon, fault::RestartDaemon>(action)) return daemon_names(lab);
  if (is_any<fault::ClockStep, fault::DiskFull>(action)) return host_names(lab);
  if (is_any<fault::Partition>(action)) return underlay_names(lab);
  std::vector<std::string> out = host_names(lab);
  if (is_any<fault::Cut, fault::Impair>(action)) {
    append(out, link_names(lab));
    for (const Link& link : lab.links) out.push_back(end_name(link.b));
    for (const Node& node : lab.nodes) {
      if (node.underlay) out.push_back(node.name);
    }
    return out;
  }
  append(out, linux_names(lab));
  append(out, process_names(lab));
  return out;
}

std::vector<std::string> chosen_from(const Lab& lab, const FaultAction& action) {
  if (is_any<fault::Cut, fault::Impair>(action)) return link_names(lab);
  if (is_any<fault::Kill, fault::Restart, fault::Pause>(action))
    return lab.hosts.empty() ? linux_names(lab) : host_names(lab);
  return can_be_hit(lab, action);
}

bool may_fill_disk(const Lab& lab, std::string_view host) {
  const auto may = [&](const FaultAction& action, const Target& on) {
    return std::holds_alternative<fault::DiskFull>(action) &&
           (on.names.empty() || std::ranges::find(on.names, host) != on.names.end());
  };
  const auto of_step = [&](const Step& step) {
    const auto* fault = std::get_if<FaultStep>(&step.action);
    return fault && may(fault->action, fault->on);
  };
  return std::ranges::any_of(lab.faults, [&](const Fault& f) { return may(f.action, f.on); }) ||
         std::ranges::any_of(lab.steps, of_step);
}

}  // namespace heddle::format
