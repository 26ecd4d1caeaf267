#include <algorithm>
#include <map>
#include <set>

#include "topologies/engine/format/sections.h"
#include "topologies/engine/format/targets.h"
#include "topologies/engine/format/variables.h"

namespace heddle::format {
namespace {

constexpr std::size_t kMaxStrikes = 2000;  // of all faults together

std::string quoted(std::string_view text) {
  return "\"" + std::string(text.substr(0, 80)) + "\"";
}

std::string seconds(Milliseconds time) {
  const std::string ms = std::to_string(time.count() % 1000);
  if (ms == "0") return std::to_string(time.count() / 1000) + "s";
  return std::to_string(time.count()) + "ms";
}

// While one fault is in force on a target, some others make no sense there.
bool excludes(const FaultAction& first, const FaultAction& second) {
  const auto second_is = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, name_of(second)) != names.end();
  };
  const std::string_view name = name_of(first);
  if (name == "kill")
    return second_is({"kill", "restart", "kill-daemon", "restart-daemon", "pause"});
  if (name == "restart") return second_is({"restart"});
  if (name == "stop") return second_is({"stop", "pause"});
  if (name == "kill-daemon") return second_is({"kill-daemon"});
  if (name == "pause") return second_is({"pause", "restart-daemon"});
  if (name == "cut") return second_is({"cut"});
  if (name == "disk-full") return second_is({"disk-full"});
  return false;
}

class TimelineChecker {
 public:
  TimelineChecker(const Lab& lab, Diagnostics& diagnostics) : lab_(lab), diagnostics_(diagnostics) {
    for (const Step& step : lab.steps) {
      for (const Capture& capture : step.captures) variables_.insert(capture.variable);
    }
    for (const Host& host : lab.hosts) add_place(host.name);
    for (const Node& node : lab.nodes) {
      if (node.kind != NodeKind::bridge) add_place(node.name);
    }
    variables_.insert({"lab.name", "lab.dir"});
  }

  void run() {
    for (std::size_t i = 0; i < lab_.faults.size(); ++i) {
      const Fault& fault = lab_.faults[i];
      check_action(fault.action, fault.on, fault.mark,
                   "faults[" + std::to_string(i) + "]." + std::string(name_of(fault.action)));
    }
    if (!diagnostics_.failed()) check_contradictions();
    for (std::size_t i = 0; i < lab_.checks.size(); ++i)
      check_check(lab_.checks[i], "checks[" + std::to_string(i) + "]");
    for (std::size_t i = 0; i < lab_.steps.size(); ++i)
      check_step(lab_.steps[i], "steps[" + std::to_string(i) + "]");
  }

 private:
  void add_place(const std::string& name) {
    places_.push_back(name);
    for (const char* part : {".name", ".address", ".files", ".run", ".state", ".socket"})
      variables_.insert(name + part);
  }

  void need_known(const std::vector<std::string>& names, const std::vector<std::string>& known,
                  const std::string& what, Mark mark, const std::string& path) {
    const std::vector<std::string_view> views(known.begin(), known.end());
    for (const std::string& name : names) {
      if (std::ranges::find(known, name) == known.end())
        diagnostics_.error(mark, path, "no " + what + " " + quoted(name) + suggestion(name, views));
    }
  }

  static std::string kind_of(const FaultAction& action) {
    const std::string_view name = name_of(action);
    if (name == "cut" || name == "impair") return "link";
    if (name == "stop") return "background process";
    if (name == "clock" || name == "disk-full") return "host";
    if (name == "kill-daemon" || name == "restart-daemon") return "host with heddled";
    if (name == "partition") return "host or node of the underlay";
    return "host, node or background process";
  }

  void check_action(const FaultAction& action, const Target& on, Mark mark,
                    const std::string& path) {
    if (const auto* partition = std::get_if<fault::Partition>(&action))
      return check_partition(*partition, mark, path);
    need_known(on.names, can_be_hit(lab_, action), kind_of(action), mark, path);
    if (on.how != Target::How::named && on.names.empty() && chosen_from(lab_, action).empty())
      diagnostics_.error(mark, path, "the lab has no " + kind_of(action) + " to choose from");
  }

  void check_partition(const fault::Partition& partition, Mark mark, const std::string& path) {
    const auto members = can_be_hit(lab_, partition);
    std::set<std::string> seen;
    for (const auto& side : partition.sides) {
      need_known(side, members, kind_of(partition), mark, path);
      for (const std::string& name : side) {
        if (!seen.insert(name).second)
          diagnostics_.error(mark, path, name.substr(0, 80) + " is named twice; it is on one side");
      }
    }
    if (partition.sides.empty() && chosen_from(lab_, partition).size() < 2)
      diagnostics_.error(mark, path, "needs two hosts or nodes on the underlay at least");
  }

  struct Hit {
    std::size_t fault;
    Milliseconds from;
    Milliseconds to;
  };

  // Faults that are named and timed by the file: what it says of them can be held against itself.
  void check_contradictions() {
    std::map<std::string, std::vector<Hit>> hits;
    std::size_t strikes = 0;
    for (std::size_t i = 0; i < lab_.faults.size(); ++i) {
      const Fault& fault = lab_.faults[i];
      const auto times = fixed_times(fault);
      strikes += std::max<std::size_t>(1, times.size());
      if (strikes > kMaxStrikes) {
        diagnostics_.error(fault.mark, "faults",
                           "strike more than " + std::to_string(kMaxStrikes) + " times together");
        return;
      }
      for (const Milliseconds at : times) {
        const Milliseconds to = fault.lasts ? at + *fault.lasts : Milliseconds::max();
        for (const std::string& target : named_targets(fault)) hits[target].push_back({i, at, to});
      }
    }
    for (const auto& [target, of_it] : hits) {
      if (!check_target(target, of_it)) return;
    }
  }

  std::vector<std::string> named_targets(const Fault& fault) const {
    std::vector<std::string> names = fault.on.names;
    if (fault.on.how == Target::How::all && names.empty()) names = chosen_from(lab_, fault.action);
    if (fault.on.how != Target::How::named && fault.on.how != Target::How::all) return {};
    if (kind_of(fault.action) == "link") {
      for (std::string& name : names) name = "link " + link_name(lab_, name);
    }
    return names;
  }

  bool check_target(const std::string& target, const std::vector<Hit>& hits) {
    for (const Hit& first : hits) {
      for (const Hit& second : hits) {
        const bool same = &first == &second;
        if (same || second.from < first.from ||
            second.from >= std::max(first.to, first.from + Milliseconds{1}))
          continue;
        const FaultAction& action = lab_.faults[first.fault].action;
        if (!excludes(action, lab_.faults[second.fault].action)) continue;
        const Fault& refused = lab_.faults[second.fault];
        diagnostics_.error(
            refused.mark, "faults[" + std::to_string(second.fault) + "]",
            std::string(name_of(refused.action)) + " of " + target + " at " + seconds(second.from) +
                " contradicts faults[" + std::to_string(first.fault) +
                "]: " + std::string(name_of(action)) + " from " + seconds(first.from) +
                (first.to == Milliseconds::max() ? " on" : " to " + seconds(first.to)));
        return false;  // the others are most likely the same mistake
      }
    }
    return true;
  }

  void check_check(const Check& check, const std::string& path) {
    check_places(check, path + ".on");
    if (std::holds_alternative<probe::Verify>(check.probe)) {
      const auto daemons = can_be_hit(lab_, fault::KillDaemon{});
      need_known(check.on, daemons, "host with heddled", check.mark, path + ".on");
      if (daemons.empty())
        diagnostics_.error(check.mark, path + ".verify", "the lab has no host with heddled");
    }
    if (const auto* ping = std::get_if<probe::Ping>(&check.probe)) check_ping(*ping, check, path);
    for (const std::string& text : texts_of(check.probe)) check_variables(check, text, path);
  }

  void check_places(const Check& check, const std::string& path) {
    std::vector<std::string> members;
    std::vector<std::string> with_workloads;
    for (const std::string& on : check.on) {
      const std::size_t slash = on.find('/');
      (slash == std::string::npos ? members : with_workloads).push_back(on.substr(0, slash));
      if (slash != std::string::npos && !is_name(std::string_view(on).substr(slash + 1)))
        diagnostics_.error(check.mark, path, quoted(on) + " must be HOST or HOST/WORKLOAD");
    }
    need_known(members, places_, "host or node", check.mark, path);
    need_known(with_workloads, can_be_hit(lab_, fault::KillDaemon{}), "host with heddled",
               check.mark, path);
    const std::set<std::string> unique(check.on.begin(), check.on.end());
    if (unique.size() != check.on.size())
      diagnostics_.error(check.mark, path, "names a place twice");
  }

  void check_ping(const probe::Ping& ping, const Check& check, const std::string& path) {
    if (ping.to.find("${") != std::string::npos || IpAddr::parse(ping.to)) return;
    const auto members = can_be_hit(lab_, fault::Partition{});
    if (std::ranges::find(members, ping.to) != members.end()) return;
    const std::vector<std::string_view> views(members.begin(), members.end());
    // What else a resolver may know is not for this file to say.
    if (std::ranges::find(places_, ping.to) != places_.end())
      diagnostics_.error(check.mark, path + ".ping",
                         ping.to + " is not on the underlay; give one of its addresses");
  }

  static std::vector<std::string> texts_of(const Probe& probe) {
    if (const auto* ping = std::get_if<probe::Ping>(&probe)) return {ping->to};
    if (const auto* http = std::get_if<probe::Http>(&probe)) return {http->url, http->contains};
    if (const auto* tcp = std::get_if<probe::Tcp>(&probe)) return {tcp->to};
    if (const auto* flow = std::get_if<probe::Throughput>(&probe)) return {flow->to};
    if (const auto* dns = std::get_if<probe::Dns>(&probe)) {
      std::vector<std::string> out = dns->answers;
      out.push_back(dns->name);
      out.push_back(dns->server);
      return out;
    }
    return {};  // exec: unknown names are the shell's
  }

  void check_variables(const Check& check, const std::string& text, const std::string& path) {
    const auto found = expand(
        text,
        [&](std::string_view name) -> std::optional<std::string> {
          if (variables_.contains(name)) return "";
          std::vector<std::string_view> views(variables_.begin(), variables_.end());
          diagnostics_.error(check.mark, path,
                             "${" + std::string(name.substr(0, 80)) +
                                 "} is captured by no step and built in nowhere" +
                                 suggestion(name, views));
          return "";
        },
        Unknown::keep);
    if (!found) diagnostics_.error(check.mark, path, found.error().text());
  }

  void check_step(const Step& step, const std::string& path) {
    if (const auto* fault = std::get_if<FaultStep>(&step.action))
      check_action(fault->action, fault->on, step.mark, path);
    if (const auto* mend = std::get_if<MendAction>(&step.action)) {
      if (mend->what == MendAction::What::cut)
        need_known(mend->names, can_be_hit(lab_, fault::Cut{}), "link", step.mark, path + ".mend");
      if (mend->what == MendAction::What::freeze)
        need_known(mend->names, can_be_hit(lab_, fault::Pause{}), kind_of(fault::Pause{}),
                   step.mark, path + ".thaw");
      if (mend->what == MendAction::What::disk)
        need_known(mend->names, can_be_hit(lab_, fault::DiskFull{}), "host", step.mark,
                   path + ".free-disk");
    }
    if (const auto* timeline = std::get_if<TimelineAction>(&step.action))
      check_order(*timeline, step, path + ".faults");
  }

  void check_order(const TimelineAction& timeline, const Step& step, const std::string& path) {
    if (lab_.faults.empty() && lab_.checks.empty())
      diagnostics_.error(step.mark, path, "the lab has neither faults nor checks");
    const bool begins = timeline.what != TimelineAction::What::await;
    if (begins && timeline_ != Timeline::before)
      diagnostics_.error(step.mark, path, "the timeline has begun already; it runs once");
    if (!begins && timeline_ != Timeline::running)
      diagnostics_.error(step.mark, path,
                         timeline_ == Timeline::before
                             ? "nothing to wait for; add a step `faults: start`"
                             : "the timeline has ended already");
    timeline_ = timeline.what == TimelineAction::What::start ? Timeline::running : Timeline::over;
  }

  const Lab& lab_;
  Diagnostics& diagnostics_;
  std::vector<std::string> places_;
  std::set<std::string, std::less<>> variables_;
  enum class Timeline { before, running, over };
  Timeline timeline_ = Timeline::before;
};

}  // namespace

void check_timeline(const Lab& lab, Diagnostics& diagnostics) {
  TimelineChecker(lab, diagnostics).run();
}

}  // namespace heddle::format
