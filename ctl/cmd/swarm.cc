#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/output/json.h"
#include "ctl/output/table.h"

namespace heddle::cmd {
namespace swarm {
namespace {

Result<std::uint16_t> optional_port(const Arguments& arguments, const char* flag) {
  if (!arguments.has(flag)) return std::uint16_t{0};
  TRY(const auto port, parse_number(flag, arguments.text(flag), {1, 65535}));
  return static_cast<std::uint16_t>(port);
}

Result<> check_forced_alone(const Arguments& arguments) {
  for (const char* flag : {"--advertise-addr", "--data-path-addr", "--default-addr-pool",
                           "--api-port", "--data-path-port"}) {
    if (!arguments.has(flag)) continue;
    return fail(Errc::invalid, std::string(flag) +
                                   " cannot be given with --force-new-cluster, which goes on with "
                                   "the swarm as it is");
  }
  return {};
}

Result<int> init(const Arguments& arguments, Context& context) {
  client::SwarmInit request;
  request.advertise_address = arguments.text("--advertise-addr");
  request.data_address = arguments.text("--data-path-addr");
  request.pool = arguments.text("--default-addr-pool");
  TRY(request.api_port, optional_port(arguments, "--api-port"));
  TRY(request.vxlan_port, optional_port(arguments, "--data-path-port"));
  request.force_new_cluster = arguments.has("--force-new-cluster");
  if (request.force_new_cluster) TRY_DO(check_forced_alone(arguments));
  TRY(auto* daemon, context.daemon());
  TRY(const auto started, daemon->swarm_init(request, context.deadline()));
  if (context.format == Format::json) {
    auto json = output::to_json(started.node);
    json.as_object()["join_command"] = started.join_command;
    output::print(context.out, json);
    return kDone;
  }
  if (request.force_new_cluster) {
    context.out << "Node " << output::printable(started.node.name) << " (" << started.node.id
                << ") is the swarm's only manager now. To add another one, run here:\n\n"
                << "heddle node promote NODE\n";
    return kDone;
  }
  context.out << "Swarm started: node " << output::printable(started.node.name) << " ("
              << started.node.id << ") is a manager.\n\n"
              << "To add a worker, run on it:\n\n"
              << output::printable(started.join_command) << "\n";
  return kDone;
}

Result<int> join(const Arguments& arguments, Context& context) {
  client::SwarmJoin request;
  request.manager = arguments.text("HOST:PORT");
  request.token = arguments.text("--token");
  request.advertise_address = arguments.text("--advertise-addr");
  request.data_address = arguments.text("--data-path-addr");
  TRY(request.api_port, optional_port(arguments, "--api-port"));
  if (request.token.empty()) {
    return fail(Errc::invalid,
                "--token is missing; `heddle swarm join-token worker` prints it on a manager");
  }
  TRY(auto* daemon, context.daemon());
  TRY(const auto node, daemon->swarm_join(request, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(node));
  } else {
    context.out << "This node joined the swarm as "
                << (node.role == model::NodeRole::manager ? "manager " : "")
                << output::printable(node.name) << " (" << node.id << ").\n";
  }
  return kDone;
}

Result<int> leave(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY_DO(daemon->swarm_leave(arguments.has("--force") ? client::Force::yes : client::Force::no,
                             context.deadline()));
  if (context.format == Format::table) context.out << "This node left the swarm.\n";
  return kDone;
}

Result<int> join_token(const Arguments& arguments, Context& context) {
  client::TokenRequest request;
  const auto& role = arguments.text("ROLE");
  if (role != "worker" && role != "manager") {
    return fail(Errc::invalid, "ROLE '" + role + "' is unknown; choose worker or manager");
  }
  request.role = role == "worker" ? model::NodeRole::worker : model::NodeRole::manager;
  request.rotate = arguments.has("--rotate");
  if (arguments.has("--ttl")) {
    if (!request.rotate) return fail(Errc::invalid, "--ttl needs --rotate: it is a new token's");
    TRY(const auto seconds, parse_number("--ttl", arguments.text("--ttl"), {1, 31'536'000}));
    request.ttl = std::chrono::seconds(seconds);
  }
  TRY(auto* daemon, context.daemon());
  TRY(const auto token, daemon->join_token(request, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out,
                  boost::json::value{{"token", token.token}, {"join_command", token.join_command}});
  } else if (arguments.has("--quiet")) {
    context.out << token.token << "\n";
  } else {
    context.out << "To add a " << role << ", run on it:\n\n"
                << output::printable(token.join_command) << "\n";
  }
  return kDone;
}

constexpr Flag kInitFlags[] = {
    {"--advertise-addr", "ADDRESS", "address that other nodes reach this one at"},
    {"--data-path-addr", "ADDRESS", "address for overlay traffic; the advertised one when absent"},
    {"--api-port", "PORT", "TCP port of the node API (7373)"},
    {"--data-path-port", "PORT", "UDP port of VXLAN (4789, or the next free one)"},
    {"--default-addr-pool", "CIDR", "overlay subnets come from it (10.32.0.0/11)"},
    {"--force-new-cluster", "",
     "on a manager whose swarm lost its quorum for good: go on with its data, as the only manager"},
};

constexpr Flag kJoinFlags[] = {
    {"--token", "TOKEN", "join token that a manager printed"},
    {"--advertise-addr", "ADDRESS", "address that other nodes reach this one at"},
    {"--data-path-addr", "ADDRESS", "address for overlay traffic; the advertised one when absent"},
    {"--api-port", "PORT", "TCP port of the node API (7373)"},
};

constexpr Flag kLeaveFlags[] = {
    {"--force,-f", "",
     "also as the last manager, when the others lose their quorum, or without a manager's answer"},
};

constexpr Flag kTokenFlags[] = {
    {"--rotate", "", "make a new token; the old one ends"},
    {"--ttl", "SECONDS", "with --rotate: when the new one ends by itself"},
    {"--quiet,-q", "", "the token alone"},
};

constexpr Command kCommands[] = {
    {"swarm init", "Start a swarm with this node as its first manager; prints the join command",
     "heddle swarm init --advertise-addr 192.0.2.1", kInitFlags, init},
    {"swarm join HOST:PORT", "Join a swarm through one of its managers",
     "heddle swarm join --token HDLTKN-1-... 192.0.2.1:7373", kJoinFlags, join},
    {"swarm leave", "Leave the swarm", "heddle swarm leave", kLeaveFlags, leave},
    {"swarm join-token ROLE", "Print how a worker or manager joins",
     "heddle swarm join-token worker\nheddle swarm join-token --rotate --ttl 3600 worker",
     kTokenFlags, join_token},
};

}  // namespace
}  // namespace swarm

void register_swarm(CLI::App& app, Context& context) {
  ensure_group(app, "swarm", "The swarm that this node is in");
  for (const auto& command : swarm::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
