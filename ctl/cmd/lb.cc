#include <algorithm>
#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/lb_parse.h"
#include "ctl/output/json.h"
#include "ctl/output/table.h"
#include "ctl/output/words.h"

namespace heddle::cmd {
namespace lb {
namespace {

Result<std::vector<model::LbRule>> parse_rules(const Arguments& arguments,
                                               const std::vector<model::TargetGroup>& groups) {
  std::vector<model::LbRule> rules;
  for (const auto& text : arguments.list("--rule")) {
    TRY(auto rule, parse_rule(text));
    const bool known = std::ranges::any_of(
        groups, [&](const auto& group) { return group.name == rule.target_group; });
    if (!known) {
      return fail(Errc::invalid,
                  "--rule '" + text + "': no --target has the group '" + rule.target_group + "'");
    }
    rule.priority = static_cast<std::uint32_t>(10 * (rules.size() + 1));
    rules.push_back(std::move(rule));
  }
  return rules;
}

Result<client::LoadBalancerDraft> parse_draft(const Arguments& arguments) {
  client::LoadBalancerDraft draft{.name = arguments.text("NAME"),
                                  .network = arguments.text("--network"),
                                  .listeners = {},
                                  .target_groups = {}};
  for (const char* flag : {"--network", "--listen", "--target"}) {
    if (!arguments.has(flag)) return fail(Errc::invalid, std::string(flag) + " is missing");
  }
  for (const auto& text : arguments.list("--target")) {
    TRY(auto group, parse_target(text));
    const bool taken = std::ranges::any_of(
        draft.target_groups, [&](const auto& other) { return other.name == group.name; });
    if (taken) {
      return fail(Errc::invalid, "--target '" + text + "': the group '" + group.name +
                                     "' is there already; name it with GROUP=SERVICE:PORT");
    }
    draft.target_groups.push_back(std::move(group));
  }
  TRY(const auto rules, parse_rules(arguments, draft.target_groups));
  for (const auto& text : arguments.list("--listen")) {
    TRY(auto listener, parse_listen(text));
    listener.default_target_group = draft.target_groups.front().name;
    if (listener.protocol != model::AppProtocol::tcp) listener.rules = rules;
    draft.listeners.push_back(std::move(listener));
  }
  return draft;
}

Result<int> create(const Arguments& arguments, Context& context) {
  TRY(const auto draft, parse_draft(arguments));
  TRY(auto* daemon, context.daemon());
  TRY(const auto status, daemon->create_load_balancer(draft, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(status));
  } else {
    context.out << status.load_balancer.id << "\n";
  }
  return kDone;
}

std::string listeners_of(const model::LoadBalancer& load_balancer) {
  std::vector<std::string> texts;
  for (const auto& listener : load_balancer.listeners) {
    const bool http = listener.protocol != model::AppProtocol::tcp;
    texts.push_back((http ? "http://" : "tcp://") + listener.address.format());
  }
  return output::joined(texts);
}

Result<int> ls(const Arguments&, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto balancers, daemon->list_load_balancers(context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(balancers));
    return kDone;
  }
  output::Table table({"ID", "NAME", "NETWORK", "LISTENERS", "STATE"});
  for (const auto& status : balancers) {
    table.add({status.load_balancer.id, status.load_balancer.name, status.network_name,
               listeners_of(status.load_balancer), status.state});
  }
  table.print(context.out);
  return kDone;
}

std::string rule_of(const model::LbRule& rule) {
  std::vector<std::string> conditions;
  if (!rule.host.empty()) conditions.push_back("host=" + rule.host);
  if (!rule.path_prefix.empty()) conditions.push_back("path=" + rule.path_prefix + "*");
  return std::to_string(rule.priority) + ": " + output::joined(conditions, ",") + " -> " +
         rule.target_group;
}

Result<int> inspect(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto status, daemon->inspect_load_balancer(arguments.text("NAME"), context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(status));
    return kDone;
  }
  const auto& balancer = status.load_balancer;
  output::Details lines;
  lines.add("Name", balancer.name);
  lines.add("Id", balancer.id);
  lines.add("Network", status.network_name);
  lines.add("State", status.state);
  lines.add("PID", status.pid > 0 ? std::to_string(status.pid) : "");
  lines.add("Metrics", status.metrics);
  lines.add("Listeners", listeners_of(balancer));
  for (const auto& listener : balancer.listeners) {
    std::vector<std::string> rules;
    for (const auto& rule : listener.rules) rules.push_back(rule_of(rule));
    rules.push_back("else -> " + listener.default_target_group);
    lines.add("Rules of " + listener.address.format(), rules);
  }
  for (const auto& group : balancer.target_groups) {
    lines.add("Target group " + group.name, group.service + ":" + std::to_string(group.port) +
                                                ", " + std::string(output::word(group.algorithm)));
  }
  lines.add("Created", output::format(balancer.created));
  lines.print(context.out);
  return kDone;
}

Result<int> rm(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  Result<int> status = kDone;
  for (const auto& ref : arguments.list("NAME")) {
    const auto removed = daemon->remove_load_balancer(ref, context.deadline());
    if (removed) {
      context.out << output::printable(ref) << "\n";
    } else if (status) {
      status = std::unexpected(removed.error());
    } else {
      context.err << "heddle: " << removed.error().text() << "\n";
    }
  }
  return status;
}

constexpr Flag kCreateFlags[] = {
    {"--network", "NETWORK", "network whose services it serves"},
    {"--listen", "URL...", "http://ADDRESS:PORT or tcp://ADDRESS:PORT, on this node"},
    {"--target", "TARGET...",
     "target group: [GROUP=]SERVICE:PORT[,least-request]; the first takes what no rule matches"},
    {"--rule", "RULE...", "'host=HOST,path=/PREFIX* -> GROUP'; tried in the order given"},
};

constexpr Command kCommands[] = {
    {"lb create NAME", "Create a load balancer on this node; its id is printed",
     "heddle lb create front --network app --listen http://0.0.0.0:80 --target web:8080\n"
     "heddle lb create front --network app --listen http://0.0.0.0:80 --target web:8080 \\\n"
     "  --target api:9090,least-request --rule 'path=/api/* -> api'",
     kCreateFlags, create},
    {"lb ls", "List this node's load balancers", "heddle lb ls", {}, ls},
    {"lb inspect NAME", "Show a load balancer", "heddle lb inspect front", {}, inspect},
    {"lb rm NAME...", "Remove load balancers", "heddle lb rm front", {}, rm},
};

}  // namespace
}  // namespace lb

void register_lb(CLI::App& app, Context& context) {
  ensure_group(app, "lb", "Load balancers: listeners, rules and target groups");
  for (const auto& command : lb::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
