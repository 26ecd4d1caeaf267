#include "topologies/engine/format/filter.h"

#include <algorithm>
#include <functional>
#include <set>

#include "topologies/engine/format/emit.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

using Names = std::set<std::string, std::less<>>;

Names all_names(const Lab& lab) {
  Names names;
  for (const Host& host : lab.hosts) names.insert(host.name);
  for (const Node& node : lab.nodes) names.insert(node.name);
  return names;
}

// Which of a list were left out, by their place in it.
struct Dropped {
  std::set<std::size_t> steps;
  std::set<std::size_t> faults;
  std::set<std::size_t> checks;
};

class Filter {
 public:
  Filter(Lab& lab, Names kept) : lab_(lab), all_(all_names(lab)), kept_(std::move(kept)) {}

  Dropped run() {
    drop("step", lab_.steps, dropped_.steps, [&](const Step& step) { return left_out(step); });
    drop("fault", lab_.faults, dropped_.faults, [&](const Fault& f) { return left_out(f); });
    drop("check", lab_.checks, dropped_.checks, [&](const Check& c) { return left_out(c); });
    std::erase_if(lab_.links, [&](const Link& link) {
      return !left_out(link.a.node).empty() || !left_out(link.b.node).empty();
    });
    std::erase_if(lab_.devices,
                  [&](const Device& device) { return !left_out(device.node).empty(); });
    drop_services();
    std::erase_if(lab_.hosts, [&](const Host& host) { return !kept_.contains(host.name); });
    std::erase_if(lab_.nodes, [&](const Node& node) { return !kept_.contains(node.name); });
    const bool joined =
        !lab_.hosts.empty() ||
        std::ranges::any_of(lab_.nodes, [](const Node& node) { return node.underlay.has_value(); });
    if (!joined) lab_.underlay.reset();
    return std::move(dropped_);
  }

 private:
  // A service's workloads go with their hosts, and it with the last.
  void drop_services() {
    std::vector<Service> kept;
    for (Service& service : lab_.services) {
      std::erase_if(service.hosts,
                    [&](const std::string& host) { return !left_out(host).empty(); });
      if (service.hosts.empty()) {
        lab_.warnings.push_back("service " + service.name + " is left out with its hosts");
      } else {
        kept.push_back(std::move(service));
      }
    }
    lab_.services = std::move(kept);
  }
  // The name, when it is of something that goes; else nothing. `h1:eth0` and `h1/client` are h1's.
  std::string left_out(std::string_view name) const {
    name = name.substr(0, name.find_first_of(":/"));
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
    if (const auto* mend = std::get_if<MendAction>(&step.action)) return left_out(mend->names);
    if (const auto* fault = std::get_if<FaultStep>(&step.action))
      return left_out(Fault{.name = "", .action = fault->action, .on = fault->on, .mark = {}});
    return "";
  }
  // A process that would have run somewhere else.
  std::string ended(const std::string& background) const {
    return processes_.contains(background) ? background : "";
  }

  template <class T, class Why>
  void drop(const char* what, std::vector<T>& list, std::set<std::size_t>& dropped, Why why) {
    std::vector<T> kept;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string gone = why(list[i]);
      if (gone.empty()) {
        kept.push_back(std::move(list[i]));
        continue;
      }
      dropped.insert(i);
      const std::string name = list[i].name.empty() ? "" : " (" + list[i].name + ")";
      lab_.warnings.push_back(std::string(what) + " " + std::to_string(i + 1) + name +
                              " is left out: it is about " + gone);
    }
    list = std::move(kept);
  }

  Dropped dropped_;
  Lab& lab_;
  const Names all_;
  const Names kept_;
  Names processes_;  // in the background, of steps that were left out
};

YamlNode* child(YamlNode* map, std::string_view key) {
  if (!map) return nullptr;
  const auto found = std::ranges::find(map->entries, key, &YamlNode::Entry::key);
  return found == map->entries.end() ? nullptr : &found->value;
}

// Every text that stands anywhere below.
void collect(const YamlNode& node, std::vector<std::string>& out) {
  if (node.kind == YamlNode::Kind::scalar) out.push_back(node.scalar);
  for (const YamlNode& item : node.items) collect(item, out);
  for (const YamlNode::Entry& entry : node.entries) collect(entry.value, out);
}

class FileFilter {
 public:
  FileFilter(YamlNode& root, const Lab& whole, const Names& kept)
      : root_(root), all_(all_names(whole)), kept_(kept) {}

  void run(const Lab& filtered, const Dropped& dropped) {
    YamlNode* topology = child(&root_, "topology");
    keep_members(child(&root_, "hosts"));
    keep_members(child(topology, "nodes"));
    if (YamlNode* links = child(topology, "links"))
      std::erase_if(links->items, [&](const YamlNode& link) { return leaves(link); });
    drop("steps", dropped.steps);
    drop("faults", dropped.faults);
    drop("checks", dropped.checks);
    for (const Host& host : filtered.hosts)
      fix(child(child(&root_, "hosts"), host.name), "address", host.address);
    for (const Node& node : filtered.nodes) {
      YamlNode* own = child(child(topology, "nodes"), node.name);
      if (node.underlay) fix(own, "underlay", *node.underlay);
      if (node.mgmt_ipv4) fix(own, "mgmt-ipv4", *node.mgmt_ipv4);
      if (node.mgmt_ipv6) fix(own, "mgmt-ipv6", *node.mgmt_ipv6);
    }
  }

 private:
  void keep_members(YamlNode* members) {
    if (!members) return;
    std::erase_if(members->entries,
                  [&](const YamlNode::Entry& entry) { return !kept_.contains(entry.key); });
  }
  // Whether an end is of something that goes: `a:eth1`, or a map with `node`.
  bool leaves(const YamlNode& link) const {
    std::vector<std::string> texts;
    for (std::string_view key : {"endpoints", "endpoint"}) {
      if (const YamlNode* ends = link.find(key)) collect(*ends, texts);
    }
    return std::ranges::any_of(texts, [&](const std::string& text) {
      const auto name = std::string_view(text).substr(0, text.find(':'));
      return all_.contains(name) && !kept_.contains(name);
    });
  }
  void drop(std::string_view key, const std::set<std::size_t>& which) {
    YamlNode* list = child(&root_, key);
    for (auto at = which.rbegin(); list && at != which.rend(); ++at)
      list->items.erase(list->items.begin() + static_cast<std::ptrdiff_t>(*at));
  }
  // An address that the whole lab gave stays.
  static void fix(YamlNode* member, std::string_view key, const IpAddr& address) {
    if (!member) return;
    YamlNode value;
    value.kind = YamlNode::Kind::scalar;
    value.scalar = address.format();
    if (YamlNode* there = child(member, key)) {
      *there = std::move(value);
      return;
    }
    member->kind = YamlNode::Kind::map;  // `h1:` alone is null
    member->entries.push_back({std::string(key), {}, std::move(value)});
  }

  YamlNode& root_;
  const Names all_;
  const Names& kept_;
};

Result<Names> checked(const Lab& lab, const std::vector<std::string>& names) {
  const Names all = all_names(lab);
  const std::vector<std::string_view> views(all.begin(), all.end());
  if (names.empty()) return fail(Errc::invalid, "the filter names no host and no node");
  for (const std::string& name : names) {
    if (!all.contains(name))
      return fail(Errc::invalid, "lab " + lab.name + " has no host or node \"" +
                                     name.substr(0, 80) + "\"" + suggestion(name, views));
  }
  return Names(names.begin(), names.end());
}

}  // namespace

Result<Lab> filter_nodes(Lab lab, const std::vector<std::string>& names) {
  TRY(Names kept, checked(lab, names));
  Filter(lab, std::move(kept)).run();
  return lab;
}

Result<std::string> filter_file(std::string_view text, const std::string& file,
                                const Environment& environment,
                                const std::vector<std::string>& names) {
  TRY(const Lab whole, parse_lab(text, file, environment));
  TRY(const Names kept, checked(whole, names));
  Lab filtered = whole;
  const Dropped dropped = Filter(filtered, kept).run();
  TRY(YamlNode root, parse_yaml(text, file));
  const YamlNode before = root;
  Diagnostics diagnostics(file);
  expand_root(root, environment, diagnostics);  // parse_lab has done the same
  escape_replaced(root, before);
  FileFilter(root, whole, kept).run(filtered, dropped);
  return emit_yaml(root);
}

}  // namespace heddle::format
