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

Result<int> ls(const Arguments&, Context& context) {
  TRY(const auto nodes, list(context));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(nodes));
    return kDone;
  }
  output::Table table({"ID", "NAME", "ROLE", "STATUS", "REACHABLE", "ADDRESS"});
  for (const auto& entry : nodes) {
    const auto& node = entry.node;
    table.add({node.id + (entry.self ? " *" : ""), node.name, std::string(output::word(node.role)),
               std::string(output::word(node.status)), entry.reachable ? "yes" : "no",
               node.address.format()});
  }
  table.print(context.out);
  return kDone;
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
  lines.add("Reachable", std::string(entry.reachable ? "yes" : "no"));
  lines.add("This node", std::string(entry.self ? "yes" : "no"));
  lines.add("API", SocketAddr{node.address, node.api_port}.format());
  lines.add("Data address", node.data_address.format());
  lines.add("Joined", output::format(node.joined));
  lines.print(context.out);
  return kDone;
}

constexpr Command kCommands[] = {
    {"node ls", "List the nodes of the swarm; * is this one", "heddle node ls", {}, ls},
    {"node inspect NODE",
     "Show a node (a name, an id, or self)",
     "heddle node inspect self",
     {},
     inspect},
};

}  // namespace
}  // namespace node

void register_node(CLI::App& app, Context& context) {
  ensure_group(app, "node", "The nodes of the swarm");
  for (const auto& command : node::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
