#include "topologies/engine/format/filter.h"

#include <algorithm>
#include <functional>
#include <set>

#include "topologies/engine/format/reader.h"

namespace heddle::format {
namespace {

using Names = std::set<std::string, std::less<>>;

Names all_names(const Lab& lab) {
  Names names;
  for (const Host& host : lab.hosts) names.insert(host.name);
  for (const Node& node : lab.nodes) names.insert(node.name);
  return names;
}

class Filter {
 public:
  Filter(Lab& lab, Names kept) : lab_(lab), all_(all_names(lab)), kept_(std::move(kept)) {}

  void run() {
    drop_steps();
    drop("fault", lab_.faults, [&](const Fault& fault) { return left_out(fault); });
    drop("check", lab_.checks, [&](const Check& check) { return left_out(check); });
    std::erase_if(lab_.links, [&](const Link& link) {
      return !left_out(link.a.node).empty() || !left_out(link.b.node).empty();
    });
    std::erase_if(lab_.hosts, [&](const Host& host) { return !kept_.contains(host.name); });
    std::erase_if(lab_.nodes, [&](const Node& node) { return !kept_.contains(node.name); });
    const bool joined =
        !lab_.hosts.empty() ||
        std::ranges::any_of(lab_.nodes, [](const Node& node) { return node.underlay.has_value(); });
    if (!joined) lab_.underlay.reset();
  }

 private:
  // The name, when it is of something that goes; else nothing. `h1:eth0` is h1's.
  std::string left_out(std::string_view name) const {
    name = name.substr(0, name.find(':'));
    return all_.contains(name) && !kept_.contains(name) ? std::string(name) : "";
  }
  std::string left_out(const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
      if (std::string gone = left_out(name); !gone.empty()) return gone;
    }
    return "";
  }
  std::string left_out(const Fault& fault) const {
    if (const auto* partition = std::get_if<fault::Partition>(&fault.action)) {
      for (const auto& side : partition->sides) {
        if (std::string gone = left_out(side); !gone.empty()) return gone;
      }
    }
    return left_out(fault.on.names);
  }
  std::string left_out(const Check& check) const {
    std::string gone = left_out(check.on);
    if (const auto* ping = std::get_if<probe::Ping>(&check.probe); ping && gone.empty())
      gone = left_out(ping->to);
    if (const auto* tcp = std::get_if<probe::Tcp>(&check.probe); tcp && gone.empty())
      gone = left_out(tcp->to);
    return gone;
  }
  std::string left_out(const Step& step) {
    if (const auto* run = std::get_if<RunAction>(&step.action)) {
      std::string gone = left_out(run->on);
      if (!gone.empty() && !run->background.empty()) processes_.insert(run->background);
      return gone;
    }
    if (const auto* stop = std::get_if<StopAction>(&step.action)) return ended(stop->background);
    if (const auto* await = std::get_if<AwaitAction>(&step.action)) return ended(await->background);
    if (const auto* kill = std::get_if<KillAction>(&step.action)) return left_out(kill->hosts);
    if (const auto* start = std::get_if<StartAction>(&step.action)) return left_out(start->hosts);
    if (const auto* kill = std::get_if<KillDaemonAction>(&step.action))
      return left_out(kill->hosts);
    if (const auto* restart = std::get_if<RestartDaemonAction>(&step.action))
      return left_out(restart->hosts);
    return "";
  }
  // A process that would have run somewhere else.
  std::string ended(const std::string& background) const {
    return processes_.contains(background) ? background : "";
  }

  void drop_steps() {
    drop("step", lab_.steps, [&](const Step& step) { return left_out(step); });
  }

  template <class T, class Why>
  void drop(const char* what, std::vector<T>& list, Why why) {
    std::vector<T> kept;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string gone = why(list[i]);
      if (gone.empty()) {
        kept.push_back(std::move(list[i]));
        continue;
      }
      const std::string name = list[i].name.empty() ? "" : " (" + list[i].name + ")";
      lab_.warnings.push_back(std::string(what) + " " + std::to_string(i + 1) + name +
                              " is left out: it is about " + gone);
    }
    list = std::move(kept);
  }

  Lab& lab_;
  const Names all_;
  const Names kept_;
  Names processes_;  // in the background, of steps that were left out
};

}  // namespace

Result<Lab> filter_nodes(Lab lab, const std::vector<std::string>& names) {
  const Names all = all_names(lab);
  const std::vector<std::string_view> views(all.begin(), all.end());
  if (names.empty()) return fail(Errc::invalid, "the filter names no host and no node");
  for (const std::string& name : names) {
    if (!all.contains(name))
      return fail(Errc::invalid, "lab " + lab.name + " has no host or node \"" +
                                     name.substr(0, 80) + "\"" + suggestion(name, views));
  }
  Filter(lab, Names(names.begin(), names.end())).run();
  return lab;
}

}  // namespace heddle::format
