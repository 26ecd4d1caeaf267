// Stages of nodes and their health checks: how they are read, and what must agree about them.
#include <algorithm>
#include <set>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

using stages::Stage;

void read_wait(const YamlNode& item, const std::string& path, StageRules& rules,
               Diagnostics& diagnostics) {
  const MapReader map(item, path + ".wait-for", keys::kStageWait, diagnostics);
  const std::string name = map.text("stage").value_or("");
  const auto stage = stages::parse_stage(name);
  if (!map.find("node")) map.error("node", "missing: whom to wait for");
  if (!stage)
    map.error("stage",
              "\"" + name.substr(0, 40) + "\" is no stage" + suggestion(name, stages::kNames));
  if (stage && map.find("node"))
    rules.wait_for.push_back({.node = map.text("node").value_or(""), .stage = *stage});
}

void read_command(const YamlNode& item, const std::string& path, StageRules& rules,
                  Diagnostics& diagnostics) {
  const MapReader map(item, path + ".exec", keys::kStageExec, diagnostics);
  const std::string phase = map.text("phase").value_or("on-enter");
  const std::string target = map.text("target").value_or("container");
  StageCommand command{.command = map.text("command").value_or(""),
                       .at_exit = phase == "on-exit",
                       .on_machine = target == "host"};
  if (command.command.empty()) map.error("command", "missing: what to run");
  if (phase != "on-enter" && phase != "on-exit")
    map.error("phase", "must be on-enter or on-exit, not \"" + phase.substr(0, 40) + "\"");
  if (target != "container" && target != "host")
    map.error("target", "must be container or host, not \"" + target.substr(0, 40) + "\"");
  if (path.ends_with(".create") && !command.at_exit && !command.on_machine)
    map.error("phase",
              "the node is not there yet when its stage `create` is entered; take `target: host` "
              "or `phase: on-exit`");
  rules.exec.push_back(std::move(command));
}

}  // namespace

StageRules read_stage(const MapReader& all, std::string_view name, Diagnostics& diagnostics) {
  StageRules rules;
  const YamlNode* node = all.find(name);
  if (!node) return rules;
  const std::string path = all.path_of(name);
  const MapReader map(*node, path, keys::kStage, diagnostics);
  const auto each = [&](std::string_view key, auto read) {
    const YamlNode* list = map.find(key);
    if (!list) return;
    if (list->kind != YamlNode::Kind::list) map.error(key, "must be a list of maps");
    for (const YamlNode& item : list->items) read(item, path, rules, diagnostics);
  };
  each("wait-for", read_wait);
  each("exec", read_command);
  return rules;
}

std::optional<Healthcheck> read_healthcheck(const YamlNode& node, const std::string& path,
                                            Diagnostics& diagnostics) {
  const MapReader map(node, path, keys::kHealthcheck, diagnostics);
  Healthcheck check;
  const auto seconds = [&](std::string_view key, std::chrono::seconds otherwise, std::int64_t low) {
    return std::chrono::seconds(map.integer(key, {low, 86'400}).value_or(otherwise.count()));
  };
  check.interval = seconds("interval", check.interval, 1);
  check.timeout = seconds("timeout", check.timeout, 1);
  check.start_period = seconds("start-period", check.start_period, 0);
  check.retries = map.integer("retries", {1, 10'000}).value_or(check.retries);
  std::vector<std::string> test = map.texts("test");
  if (test.size() == 1 && test.front() == "NONE") return std::nullopt;
  if (test.size() > 1 && test.front() == "CMD") {
    check.test.assign(test.begin() + 1, test.end());
  } else if (test.size() == 2 && test.front() == "CMD-SHELL") {
    check.test = {"/bin/sh", "-c", test[1]};
  } else if (test.size() == 1) {
    check.test = {"/bin/sh", "-c", test.front()};
  } else {
    map.error("test", "must be [CMD, PROGRAM, ...] or [CMD-SHELL, LINE]");
    return std::nullopt;
  }
  return check;
}

void check_stages(const Lab& lab, Diagnostics& diagnostics) {
  std::set<std::string_view> names;
  std::vector<std::string_view> views;
  for (const Node& node : lab.nodes) names.insert(node.name);
  for (const Host& host : lab.hosts) names.insert(host.name);
  views.assign(names.begin(), names.end());
  std::vector<stages::Node> order;
  Mark first;
  for (const Node& node : lab.nodes) {
    stages::Node entry{.name = node.name};
    for (std::size_t s = 0; s < stages::kStages; ++s) {
      const std::string path =
          "topology.nodes." + node.name + ".stages." + std::string(stages::kNames[s]);
      for (const stages::Wait& wait : node.stages[s].wait_for) {
        if (!first.line) first = node.mark;
        const Node* other = lab.find_node(wait.node);
        if (!names.contains(wait.node))
          diagnostics.error(
              node.mark, path + ".wait-for",
              "no node or host \"" + wait.node.substr(0, 80) + "\"" + suggestion(wait.node, views));
        if (wait.stage == Stage::healthy && names.contains(wait.node) &&
            (!other || !other->healthcheck))
          diagnostics.error(node.mark, path + ".wait-for",
                            wait.node + " has no healthcheck, so it never becomes healthy");
        if (wait.stage == Stage::exit && names.contains(wait.node) &&
            (!other || other->command.empty()))
          diagnostics.error(node.mark, path + ".wait-for",
                            wait.node + " runs no cmd, so it never exits");
      }
      const bool late = s >= static_cast<std::size_t>(Stage::healthy);
      if (late && !node.stages[s].exec.empty() &&
          (s == static_cast<std::size_t>(Stage::healthy) ? !node.healthcheck
                                                         : node.command.empty()))
        diagnostics.error(
            node.mark, path,
            "never entered: the node has no " + std::string(s == 3 ? "healthcheck" : "cmd"));
      entry.waits[s] = node.stages[s].wait_for;
    }
    order.push_back(std::move(entry));
  }
  for (const Host& host : lab.hosts) order.push_back({.name = host.name});
  if (diagnostics.failed()) return;
  if (const auto made = stages::Scheduler::make(order); !made)
    diagnostics.error(first, "topology.nodes", made.error().text());
}

}  // namespace heddle::format
