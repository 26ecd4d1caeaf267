#include <algorithm>
#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/output/json.h"
#include "ctl/output/table.h"
#include "ctl/output/words.h"

namespace heddle::cmd {
namespace node {
namespace {

// Errors: `conflict` outside a swarm, which has no nodes.
Result<std::vector<client::NodeEntry>> list(Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(auto nodes, daemon->list_nodes(context.deadline()));
  if (!nodes.empty()) return nodes;
  return fail(Errc::conflict,
              "this node is in no swarm, so there are no nodes to list; make one: heddle swarm "
              "init, or join one: heddle swarm join");
}

Result<client::NodeEntry> find(const std::vector<client::NodeEntry>& nodes,
                               const std::string& ref) {
  const client::NodeEntry* found = nullptr;
  for (const auto& entry : nodes) {
    if (entry.node.id == ref || entry.node.name == ref || (ref == "self" && entry.self)) {
      return entry;
    }
    if (ref.size() < 4 || !entry.node.id.starts_with(ref)) continue;
    if (found != nullptr) {
      return fail(Errc::conflict, "several nodes have an id that starts with '" + ref + "'");
    }
    found = &entry;
  }
  if (found != nullptr) return *found;
  return fail(Errc::not_found, "no node '" + ref + "'; see heddle node ls");
}

Result<int> ls(const Arguments&, Context& context) {
  TRY(const auto nodes, list(context));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(nodes));
    return kDone;
  }
  output::Table table(
      {"ID", "NAME", "ROLE", "STATUS", "AVAILABILITY", "REACHABLE", "ADDRESS", "MANAGER STATUS"});
  bool managed = false;
  bool led = false;
  for (const auto& entry : nodes) {
    const auto& node = entry.node;
    table.add({node.id + (entry.self ? " *" : ""), node.name, std::string(output::word(node.role)),
               std::string(output::word(node.status)), std::string(output::word(node.availability)),
               entry.reachable ? "yes" : "no", node.address.format(), entry.manager_status});
    managed = managed || !entry.manager_status.empty();
    led = led || entry.manager_status == "leader";
  }
  table.print(context.out);
  if (managed && !led) {
    context.out << "\nNo manager leads: without a majority of its managers the swarm cannot be "
                   "changed. What runs goes on.\nStart the others again; if they are lost for "
                   "good, run on the one that is left: heddle swarm init --force-new-cluster\n";
  }
  return kDone;
}

Result<int> set_role(const Arguments& arguments, Context& context, model::NodeRole role) {
  TRY(auto* daemon, context.daemon());
  for (const std::string& node : arguments.list("NODE")) {
    TRY(const auto changed, daemon->set_node_role(node, role, context.deadline()));
    if (context.format == Format::json) {
      output::print(context.out, output::to_json(changed));
    } else {
      context.out << "Node " << output::printable(changed.name) << " is a "
                  << output::word(changed.role) << " now.\n";
    }
  }
  return kDone;
}

Result<int> promote(const Arguments& arguments, Context& context) {
  return set_role(arguments, context, model::NodeRole::manager);
}

Result<int> demote(const Arguments& arguments, Context& context) {
  return set_role(arguments, context, model::NodeRole::worker);
}

Result<int> update(const Arguments& arguments, Context& context) {
  client::NodeChange change;
  change.node = arguments.text("NODE");
  if (arguments.has("--availability")) {
    const std::string& word = arguments.text("--availability");
    for (const auto each :
         {model::Availability::active, model::Availability::pause, model::Availability::drain}) {
      if (output::word(each) == word) change.availability = each;
    }
    if (!change.availability) {
      return fail(Errc::invalid,
                  "--availability '" + word + "' is unknown; choose active, pause or drain");
    }
  }
  TRY(change.labels, parse_pairs("--label-add", arguments.list("--label-add")));
  change.removed_labels = arguments.list("--label-rm");
  if (!change.availability && change.labels.empty() && change.removed_labels.empty()) {
    return fail(Errc::invalid, "nothing to change: give --availability, --label-add or --label-rm");
  }
  TRY(auto* daemon, context.daemon());
  TRY(const auto node, daemon->update_node(change, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(node));
  } else {
    context.out << output::printable(node.name) << "\n";
  }
  return kDone;
}

Result<int> ps(const Arguments& arguments, Context& context) {
  TRY(const auto nodes, list(context));
  TRY(const auto entry, find(nodes, arguments.text("NODE")));
  TRY(auto* daemon, context.daemon());
  TRY(const auto endpoints, daemon->list_node_endpoints(entry.node.id, context.deadline()));
  if (context.format == Format::json) {
    boost::json::array json;
    for (const auto& each : endpoints) json.push_back(output::to_json(each));
    output::print(context.out, json);
    return kDone;
  }
  output::Table table({"WORKLOAD", "NETWORK", "ADDRESS", "SERVICE", "STATE"});
  for (const auto& each : endpoints) {
    table.add({each.endpoint.workload_name, each.network_name,
               each.endpoint.address.address.format(), each.endpoint.service,
               std::string(output::word(each.endpoint.state))});
  }
  table.print(context.out);
  return kDone;
}

Result<int> rm(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  const auto force = arguments.has("--force") ? client::Force::yes : client::Force::no;
  for (const std::string& node : arguments.list("NODE")) {
    TRY_DO(daemon->remove_node(node, force, context.deadline()));
    if (context.format == Format::table) context.out << output::printable(node) << "\n";
  }
  return kDone;
}

Result<int> inspect(const Arguments& arguments, Context& context) {
  TRY(const auto nodes, list(context));
  TRY(const auto entry, find(nodes, arguments.text("NODE")));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(entry));
    return kDone;
  }
  const auto& node = entry.node;
  output::Details lines;
  lines.add("Name", node.name);
  lines.add("Id", node.id);
  lines.add("Role", std::string(output::word(node.role)));
  lines.add("Status", std::string(output::word(node.status)));
  if (!entry.manager_status.empty()) lines.add("Manager status", entry.manager_status);
  lines.add("Reachable", std::string(entry.reachable ? "yes" : "no"));
  lines.add("This node", std::string(entry.self ? "yes" : "no"));
  lines.add("API", SocketAddr{node.address, node.api_port}.format());
  lines.add("Data address", node.data_address.format());
  lines.add("Availability", std::string(output::word(node.availability)));
  for (const auto& [key, value] : node.labels) lines.add("Label", key + "=" + value);
  lines.add("Joined", output::format(node.joined));
  lines.print(context.out);
  return kDone;
}

constexpr Flag kUpdateFlags[] = {
    {"--availability", "WORD",
     "active; pause: takes no new backends; drain: and those it has get no new connections"},
    {"--label-add", "KEY=VALUE...", "set a label"},
    {"--label-rm", "KEY...", "take a label away"},
};

constexpr Flag kRmFlags[] = {
    {"--force,-f", "", "also a node that is up, or a manager"},
};

constexpr Command kCommands[] = {
    {"node ls", "List the nodes of the swarm; * is this one", "heddle node ls", {}, ls},
    {"node inspect NODE",
     "Show a node (a name, an id, or self)",
     "heddle node inspect self",
     {},
     inspect},
    {"node promote NODE...",
     "Make nodes managers; returns when they are",
     "heddle node promote h2 h3",
     {},
     promote},
    {"node demote NODE...",
     "Make managers workers; refused when the swarm would lose its quorum",
     "heddle node demote h2",
     {},
     demote},
    {"node update NODE", "Say what a node is there for, and label it",
     "heddle node update --availability drain h2\nheddle node update --label-add zone=a h2",
     kUpdateFlags, update},
    {"node ps NODE",
     "List what of the swarm's networks runs on a node (of this node all endpoints)",
     "heddle node ps h2",
     {},
     ps},
    {"node rm NODE...", "Take nodes that are down out of the swarm",
     "heddle node rm h3\nheddle node rm --force h2", kRmFlags, rm},
};

}  // namespace
}  // namespace node

void register_node(CLI::App& app, Context& context) {
  ensure_group(app, "node", "The nodes of the swarm");
  for (const auto& command : node::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
