#include <algorithm>
#include <boost/json/array.hpp>
#include <istream>
#include <ostream>

#include "ctl/cmd/attachment.h"
#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/output/json.h"
#include "ctl/output/ports.h"
#include "ctl/output/table.h"
#include "ctl/output/words.h"

namespace heddle::cmd {
namespace network {
namespace {

constexpr Flag kCreateFlags[] = {
    {"--driver,-d", "DRIVER",
     "bridge (this host, default), overlay (the whole swarm), macvlan, ipvlan, host or none"},
    {"--subnet", "CIDR...", "range of addresses, IPv4 or IPv6; chosen from the pools when absent"},
    {"--gateway", "ADDRESS...", "gateway of the subnet that contains it; its first address"},
    {"--ip-range", "CIDR...", "part of a subnet that addresses are chosen from"},
    {"--aux-address", "NAME=ADDRESS...", "somebody else's address in a subnet: never given"},
    {"--ipv4", "", "IPv4; --ipv4=false: none"},
    {"--ipv6", "", "IPv6; without an IPv6 --subnet one is chosen"},
    {"--internal", "", "no way out of the network"},
    {"--attachable", "",
     "anything may connect; --attachable=false: only backends of services (--service)"},
    {"--scope", "SCOPE", "local or swarm; must be the driver's"},
    {"--config-only", "", "nothing can connect: it holds settings for --config-from of others"},
    {"--config-from", "NETWORK", "take subnets, options and labels from this --config-only one"},
    {"--opt,-o", "KEY=VALUE...", "option of the driver"},
    {"--label", "KEY=VALUE...", "label"},
};

constexpr Flag kUpdateFlags[] = {
    {"--add-subnet", "CIDR...",
     "further range; one that contains a present one and starts like it makes that grow"},
    {"--gateway", "ADDRESS...", "gateway of the added subnet that contains it"},
    {"--ip-range", "CIDR...", "part of an added subnet that addresses are chosen from"},
    {"--aux-address", "NAME=ADDRESS...", "somebody else's address in an added subnet"},
    {"--ipv6", "", "add an IPv6 range; chosen without an IPv6 --add-subnet"},
    {"--opt,-o", "KEY=VALUE...", "set an option of the driver; `KEY=` takes it away"},
    {"--label-add", "KEY=VALUE...", "set a label"},
    {"--label-rm", "KEY...", "take a label away"},
};

// Each text of a flag as `parse` takes it; the daemon gets the text.
template <class T>
Result<> check_each(const Arguments& arguments, const char* flag,
                    Result<T> (*parse)(std::string_view), std::string_view accepted) {
  for (const auto& text : arguments.list(flag)) {
    const auto parsed = parse(text);
    if (parsed) continue;
    return fail(Errc::invalid, std::string(flag) + " '" + text + "': " + parsed.error().text() +
                                   "; it takes " + std::string(accepted));
  }
  return {};
}

// What `create` and `update` have in common.
Result<> read_addressing(const Arguments& arguments, const char* subnet_flag, auto& draft) {
  TRY_DO(check_each(arguments, subnet_flag, Prefix::parse, "a range such as 10.40.0.0/20"));
  TRY_DO(check_each(arguments, "--gateway", IpAddr::parse, "an address such as 10.40.0.1"));
  TRY_DO(check_each(arguments, "--ip-range", Prefix::parse, "a range such as 10.40.8.0/24"));
  draft.subnets = arguments.list(subnet_flag);
  draft.gateways = arguments.list("--gateway");
  draft.ranges = arguments.list("--ip-range");
  TRY(draft.reserved, parse_pairs("--aux-address", arguments.list("--aux-address")));
  for (const auto& [name, address] : draft.reserved) {
    TRY_DO(IpAddr::parse(address).during("--aux-address " + name));
  }
  draft.ipv6 = arguments.has("--ipv6");
  TRY(draft.options, parse_pairs("--opt", arguments.list("--opt")));
  return {};
}

Result<client::NetworkDraft> parse_network(const Arguments& arguments) {
  client::NetworkDraft draft;
  draft.name = arguments.text("NAME");
  draft.driver = arguments.text("--driver");
  TRY_DO(read_addressing(arguments, "--subnet", draft));
  if (arguments.has("--scope")) {
    TRY(draft.scope, model::parse_scope(arguments.text("--scope")).during("--scope"));
  }
  draft.ipv4 = arguments.choice("--ipv4").value_or(true);
  draft.attachable = arguments.choice("--attachable").value_or(true);
  draft.internal = arguments.has("--internal");
  draft.config_only = arguments.has("--config-only");
  draft.config_from = arguments.text("--config-from");
  TRY(draft.labels, parse_pairs("--label", arguments.list("--label")));
  if (draft.config_only && !draft.config_from.empty()) {
    return fail(Errc::invalid, "--config-only and --config-from exclude each other");
  }
  return draft;
}

Result<int> create(const Arguments& arguments, Context& context) {
  TRY(const auto draft, parse_network(arguments));
  TRY(auto* daemon, context.daemon());
  TRY(const auto network, daemon->create_network(draft, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(network));
  } else {
    context.out << network.id << "\n";
  }
  return kDone;
}

Result<int> update(const Arguments& arguments, Context& context) {
  client::NetworkChange change;
  change.network = arguments.text("NETWORK");
  TRY_DO(read_addressing(arguments, "--add-subnet", change));
  TRY(change.labels, parse_pairs("--label-add", arguments.list("--label-add")));
  change.removed_labels = arguments.list("--label-rm");
  for (const auto& label : change.removed_labels) {
    if (!change.labels.contains(label)) continue;
    return fail(Errc::invalid, "--label-rm '" + label + "' is also set by --label-add");
  }
  const bool nothing = std::ranges::none_of(
      kUpdateFlags, [&](const Flag& flag) { return arguments.has(first_name(flag.names)); });
  if (nothing) {
    return fail(Errc::invalid,
                "nothing to change is given; choose --add-subnet, --gateway, --ip-range, "
                "--aux-address, --ipv6, --opt, --label-add or --label-rm");
  }
  TRY(auto* daemon, context.daemon());
  TRY(const auto network, daemon->update_network(change, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(network));
  } else {
    context.out << network.name << "\n";
  }
  return kDone;
}

std::vector<std::string> subnets_of(const model::Network& network) {
  std::vector<std::string> texts;
  for (const auto& subnet : network.subnets) texts.push_back(subnet.prefix.format());
  return texts;
}

// `--filter KEY=VALUE`; which ones there are is the daemon's to say.
Result<std::vector<client::Filter>> parse_filters(const Arguments& arguments) {
  std::vector<client::Filter> filters;
  for (const auto& text : arguments.list("--filter")) {
    auto equals = text.find('=');
    if (text.starts_with("label!=")) equals = 6;  // `label!` is the key
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
      return fail(Errc::invalid, "--filter '" + text + "' must be KEY=VALUE");
    }
    filters.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return filters;
}

Result<int> ls(const Arguments& arguments, Context& context) {
  TRY(const auto filters, parse_filters(arguments));
  TRY(auto* daemon, context.daemon());
  TRY(const auto networks, daemon->list_networks(filters, context.deadline()));
  if (arguments.has("--quiet")) {
    for (const auto& network : networks) context.out << network.id << "\n";
    return kDone;
  }
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

// Whether the person at the other end says yes.
bool confirmed(Context& context, std::string_view question) {
  context.err << question << " [y/N] " << std::flush;
  std::string answer;
  return context.in != nullptr && std::getline(*context.in, answer) &&
         (answer == "y" || answer == "Y" || answer == "yes");
}

Result<int> prune(const Arguments& arguments, Context& context) {
  TRY(const auto filters, parse_filters(arguments));
  TRY(auto* daemon, context.daemon());
  if (!arguments.has("--force") &&
      !confirmed(context,
                 "Remove every network that nothing is connected to and the filters fit?")) {
    return fail(Errc::cancelled, "nothing was removed; --force does not ask");
  }
  TRY(const auto names, daemon->prune_networks(filters, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out,
                  output::Json{{"removed", boost::json::array(names.begin(), names.end())}});
    return kDone;
  }
  for (const auto& name : names) context.out << output::printable(name) << "\n";
  return kDone;
}

// `10.40.0.0/20 via 10.40.0.1, range 10.40.8.0/24, 3 used, 252 free`
std::string describe(const model::Subnet& subnet, const std::vector<client::SubnetUse>& uses) {
  std::string text = subnet.prefix.format();
  if (!subnet.gateway.is_unspecified()) text += " via " + subnet.gateway.format();
  if (subnet.range) text += ", range " + subnet.range->format();
  for (const auto& use : uses) {
    if (use.prefix != subnet.prefix) continue;
    text += ", " + std::to_string(use.used) + " used, " + std::to_string(use.free) + " free";
  }
  return text;
}

void print_network(std::ostream& out, const client::NetworkDetails& details) {
  const auto& network = details.network;
  const auto yes_no = [](bool yes) { return std::string(yes ? "yes" : "no"); };
  output::Details lines;
  lines.add("Name", network.name);
  lines.add("Id", network.id);
  lines.add("Driver", network.driver);
  lines.add("Scope", std::string(model::format(network.scope)));
  std::vector<std::string> subnets;
  for (const auto& subnet : network.subnets) subnets.push_back(describe(subnet, details.subnets));
  lines.add("Subnets", subnets);
  for (const auto& subnet : network.subnets) {
    for (const auto& [name, address] : subnet.reserved) {
      lines.add("Reserved", name + "=" + address.format());
    }
  }
  for (const auto& use : details.subnets) {
    if (!use.conflict.empty()) lines.add("Conflict", use.prefix.format() + ": " + use.conflict);
  }
  lines.add("Internal", yes_no(network.internal));
  lines.add("Attachable", yes_no(network.attachable));
  if (network.config_only) lines.add("Config only", yes_no(true));
  if (!network.config_from.empty()) lines.add("Config from", network.config_from);
  if (network.vni.value != 0) lines.add("VNI", std::to_string(network.vni.value));
  lines.add("Device", details.device);
  for (const auto& [key, value] : network.options) lines.add("Option", key + "=" + value);
  for (const auto& [key, value] : network.labels) lines.add("Label", key + "=" + value);
  lines.add("Created", output::format(network.created));
  lines.print(out);
}

void print_details(std::ostream& out, const client::NetworkDetails& details) {
  print_network(out, details);
  out << "\n";
  output::Table table({"WORKLOAD", "ADDRESS", "MAC", "INTERFACE", "DEVICE", "SERVICE", "PORTS",
                       "PUBLISHED", "STATE"});
  for (const auto& endpoint : details.endpoints) {
    std::string address = endpoint.address.format();
    if (endpoint.address6) address += ", " + endpoint.address6->format();
    const auto device = details.endpoint_devices.find(endpoint.id);
    table.add({endpoint.workload_name, address, endpoint.mac.format(), endpoint.interface,
               device == details.endpoint_devices.end() ? "" : device->second, endpoint.service,
               output::format(endpoint.ports), output::format(endpoint.published),
               std::string(output::word(endpoint.state))});
  }
  table.print(out);
}

// Goes on past a network that is not there, and gives the first error at the end. JSON is an object
// for one network, a list for several.
Result<int> inspect(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  const auto& references = arguments.list("NETWORK");
  std::vector<client::NetworkDetails> found;
  Result<int> status = kDone;
  for (const auto& ref : references) {
    auto details = daemon->inspect_network(ref, context.deadline());
    if (details) {
      found.push_back(*std::move(details));
    } else if (status) {
      status = std::unexpected(details.error());
    } else {
      context.err << "heddle: " << details.error().text() << "\n";
    }
  }
  if (context.format == Format::json) {
    if (references.size() > 1) {
      output::print(context.out, output::to_json(found));
    } else if (!found.empty()) {
      output::print(context.out, output::to_json(found.front()));
    }
    return status;
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i > 0) context.out << "\n";
    print_details(context.out, found[i]);
  }
  return status;
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
  TRY(auto attachment, parse_attachment(arguments));
  attachment.network = arguments.text("NETWORK");
  attachment.workload = arguments.text("WORKLOAD");
  TRY(auto* daemon, context.daemon());
  TRY(const auto endpoint, daemon->attach(attachment, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(endpoint));
    return kDone;
  }
  context.out << endpoint.address.format() << "\n";
  if (endpoint.address6) context.out << endpoint.address6->format() << "\n";
  output::print_ports(context.out, output::chosen_of(endpoint.published, attachment.published));
  return kDone;
}

Result<int> disconnect(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY_DO(daemon->disconnect(arguments.text("NETWORK"), arguments.text("WORKLOAD"),
                            context.deadline()));
  return kDone;
}

constexpr Flag kLsFlags[] = {
    {"--filter,-f", "FILTER...",
     "KEY=VALUE of driver, id, label, name, scope or dangling; of one key any, of labels all"},
    {"--quiet,-q", "", "print ids alone"},
};

constexpr Flag kPruneFlags[] = {
    {"--filter", "FILTER...",
     "until=TIME (made before it: 2026-01-02T03:04:05Z, or an age: 24h), label=KEY[=VALUE], "
     "label!=KEY[=VALUE]"},
    {"--force,-f", "", "do not ask"},
};

constexpr Command kCommands[] = {
    {"network create NAME", "Declare a network; its id is printed",
     "heddle network create app\n"
     "heddle network create -d overlay --subnet 10.40.0.0/20 app\n"
     "heddle network create --subnet 10.41.0.0/16 --ip-range 10.41.8.0/24 --ipv6 -o mtu=1400 app",
     kCreateFlags, create},
    {"network ls", "List networks",
     "heddle network ls --filter driver=bridge --filter label=team\n"
     "heddle network ls -q --filter dangling=true",
     kLsFlags, ls},
    {"network inspect NETWORK...",
     "Show networks, the use of their addresses, and what is connected to them",
     "heddle network inspect app",
     {},
     inspect},
    {"network update NETWORK", "Change a network while it is used; its name is printed",
     "heddle network update app --add-subnet 10.42.0.0/20 --label-add team=shop\n"
     "heddle network update app --ipv6 -o mtu=1400",
     kUpdateFlags, update},
    {"network rm NETWORK...",
     "Remove networks that nothing is connected to",
     "heddle network rm app",
     {},
     rm},
    {"network prune", "Remove the networks that nothing is connected to; their names are printed",
     "heddle network prune --force --filter until=24h --filter label=ci", kPruneFlags, prune},
    {"network connect NETWORK WORKLOAD",
     "Connect a workload (a name, netns:PATH, pid:N, docker:NAME or podman:NAME); its addresses "
     "are printed",
     "heddle network connect app netns:/run/netns/c1\n"
     "heddle network connect --service web --port 8080/http app pid:4711\n"
     "heddle network connect -p 8080:80 --rate-out 10mbit app docker:web",
     kAttachmentFlags, connect},
    {"network disconnect NETWORK WORKLOAD",
     "Disconnect a workload from a network",
     "heddle network disconnect app netns:/run/netns/c1",
     {},
     disconnect},
};

}  // namespace
}  // namespace network

void register_network(CLI::App& app, Context& context) {
  ensure_group(app, "network", "Networks, and what is connected to them");
  for (const auto& command : network::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
