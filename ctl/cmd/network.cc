#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/ports.h"
#include "ctl/output/json.h"
#include "ctl/output/table.h"
#include "ctl/output/words.h"

namespace heddle::cmd {
namespace {

Result<int> create(const Arguments& arguments, Context& context) {
  client::NetworkDraft draft{.name = arguments.text("NAME"),
                             .driver = arguments.text("--driver"),
                             .subnets = arguments.list("--subnet"),
                             .gateways = arguments.list("--gateway"),
                             .internal = arguments.has("--internal"),
                             .options = {},
                             .labels = {}};
  TRY(draft.options, parse_pairs("--opt", arguments.list("--opt")));
  TRY(draft.labels, parse_pairs("--label", arguments.list("--label")));
  TRY(auto* daemon, context.daemon());
  TRY(const auto network, daemon->create_network(draft, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(network));
  } else {
    context.out << network.id << "\n";
  }
  return kDone;
}

std::vector<std::string> subnets_of(const model::Network& network) {
  std::vector<std::string> texts;
  for (const auto& subnet : network.subnets) texts.push_back(subnet.prefix.format());
  return texts;
}

Result<int> ls(const Arguments&, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto networks, daemon->list_networks({}, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(networks));
    return kDone;
  }
  output::Table table({"ID", "NAME", "DRIVER", "SCOPE", "SUBNETS"});
  for (const auto& network : networks) {
    table.add({network.id, network.name, network.driver, std::string(model::format(network.scope)),
               output::joined(subnets_of(network))});
  }
  table.print(context.out);
  return kDone;
}

void print_details(std::ostream& out, const client::NetworkDetails& details) {
  const auto& network = details.network;
  output::Details lines;
  lines.add("Name", network.name);
  lines.add("Id", network.id);
  lines.add("Driver", network.driver);
  lines.add("Scope", std::string(model::format(network.scope)));
  std::vector<std::string> subnets;
  for (const auto& subnet : network.subnets) {
    subnets.push_back(subnet.prefix.format() + " via " + subnet.gateway.format());
  }
  lines.add("Subnets", subnets);
  lines.add("Internal", std::string(network.internal ? "yes" : "no"));
  if (network.vni.value != 0) lines.add("VNI", std::to_string(network.vni.value));
  lines.add("Device", details.device);
  for (const auto& [key, value] : network.options) lines.add("Option", key + "=" + value);
  for (const auto& [key, value] : network.labels) lines.add("Label", key + "=" + value);
  lines.add("Created", output::format(network.created));
  lines.print(out);
  out << "\n";
  output::Table table({"WORKLOAD", "ADDRESS", "MAC", "INTERFACE", "SERVICE", "PORTS", "STATE"});
  for (const auto& endpoint : details.endpoints) {
    table.add({endpoint.workload_name, endpoint.address.format(), endpoint.mac.format(),
               endpoint.interface, endpoint.service, output::format(endpoint.ports),
               std::string(output::word(endpoint.state))});
  }
  table.print(out);
}

Result<int> inspect(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto details, daemon->inspect_network(arguments.text("NETWORK"), context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(details));
  } else {
    print_details(context.out, details);
  }
  return kDone;
}

// Goes on past a network that cannot be removed, and gives the first error at the end.
Result<int> rm(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  Result<int> status = kDone;
  for (const auto& ref : arguments.list("NETWORK")) {
    const auto removed = daemon->remove_network(ref, context.deadline());
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

Result<int> connect(const Arguments& arguments, Context& context) {
  client::Attachment attachment{.network = arguments.text("NETWORK"),
                                .workload = arguments.text("WORKLOAD"),
                                .address = arguments.text("--ip"),
                                .interface = arguments.text("--ifname"),
                                .aliases = arguments.list("--alias"),
                                .service = arguments.text("--service"),
                                .ports = {}};
  TRY(attachment.ports, parse_ports(arguments));
  TRY(auto* daemon, context.daemon());
  TRY(const auto endpoint, daemon->attach(attachment, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(endpoint));
  } else {
    context.out << endpoint.address.format() << "\n";
  }
  return kDone;
}

Result<int> disconnect(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY_DO(daemon->disconnect(arguments.text("NETWORK"), arguments.text("WORKLOAD"),
                            context.deadline()));
  return kDone;
}

constexpr Flag kCreateFlags[] = {
    {"--driver,-d", "NAME", "bridge (this host, default) or overlay (the whole swarm)"},
    {"--subnet", "CIDR...", "address range; chosen from the pools when absent"},
    {"--gateway", "ADDRESS...", "gateway of the subnet of the same position; its first address"},
    {"--internal", "", "no way out of the network"},
    {"--opt,-o", "KEY=VALUE...", "option of the driver"},
    {"--label", "KEY=VALUE...", "label"},
};

constexpr Flag kConnectFlags[] = {
    {"--ip", "ADDRESS", "address; chosen when absent"},
    {"--ifname", "NAME", "interface inside; eth0, eth1 ... when absent"},
    {"--alias", "NAME...", "further name on this network"},
    {"--service", "NAME", "service that this becomes a backend of"},
    kPortFlag,
};

constexpr Command kCommands[] = {
    {"network create NAME", "Declare a network; its id is printed",
     "heddle network create app\n"
     "heddle network create -d overlay --subnet 10.40.0.0/20 app",
     kCreateFlags, create},
    {"network ls", "List networks", "heddle network ls --format json", {}, ls},
    {"network inspect NETWORK",
     "Show a network and what is connected to it",
     "heddle network inspect app",
     {},
     inspect},
    {"network rm NETWORK...",
     "Remove networks that nothing is connected to",
     "heddle network rm app",
     {},
     rm},
    {"network connect NETWORK WORKLOAD",
     "Connect a workload (a name, netns:PATH or pid:N); its address is printed",
     "heddle network connect app netns:/run/netns/c1\n"
     "heddle network connect --service web --port 8080/http app pid:4711",
     kConnectFlags, connect},
    {"network disconnect NETWORK WORKLOAD",
     "Disconnect a workload from a network",
     "heddle network disconnect app netns:/run/netns/c1",
     {},
     disconnect},
};

}  // namespace

void register_network(CLI::App& app, Context& context) {
  ensure_group(app, "network", "Networks, and what is connected to them");
  for (const auto& command : kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
