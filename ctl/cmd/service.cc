#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/ports.h"
#include "ctl/output/json.h"
#include "ctl/output/table.h"
#include "ctl/output/words.h"

namespace heddle::cmd {
namespace service {
namespace {

std::size_t usable(const client::ServiceDetails& details) {
  std::size_t count = 0;
  for (const auto& backend : details.backends) {
    count += backend.reachable && backend.endpoint.state == model::EndpointState::ready ? 1 : 0;
  }
  return count;
}

Result<int> ls(const Arguments&, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto services, daemon->list_services(context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(services));
    return kDone;
  }
  output::Table table({"ID", "NAME", "NETWORK", "VIP", "PORTS", "READY"});
  for (const auto& details : services) {
    table.add({details.service.id, details.service.name, details.network_name,
               details.service.vip.format(), output::format(details.service.ports),
               std::to_string(usable(details)) + "/" + std::to_string(details.backends.size())});
  }
  table.print(context.out);
  return kDone;
}

void print_backends(std::ostream& out, const client::ServiceDetails& details) {
  output::Table table({"WORKLOAD", "NODE", "ADDRESS", "PORTS", "WEIGHT", "STATE", "REACHABLE"});
  for (const auto& backend : details.backends) {
    const auto& endpoint = backend.endpoint;
    table.add({endpoint.workload_name, backend.node_name, endpoint.address.address.format(),
               output::format(endpoint.ports), std::to_string(endpoint.weight),
               std::string(output::word(endpoint.state)), backend.reachable ? "yes" : "no"});
  }
  table.print(out);
}

Result<int> ps(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto details, daemon->inspect_service(arguments.text("SERVICE"), context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(details).at("backends"));
  } else {
    print_backends(context.out, details);
  }
  return kDone;
}

Result<int> inspect(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto details, daemon->inspect_service(arguments.text("SERVICE"), context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(details));
    return kDone;
  }
  const auto& service = details.service;
  output::Details lines;
  lines.add("Name", service.name);
  lines.add("Id", service.id);
  lines.add("Network", details.network_name);
  lines.add("VIP", service.vip.format());
  lines.add("Ports", output::format(service.ports));
  for (const auto& [key, value] : service.labels) lines.add("Label", key + "=" + value);
  lines.add("Created", output::format(service.created));
  lines.print(context.out);
  context.out << "\n";
  print_backends(context.out, details);
  return kDone;
}

Result<int> create(const Arguments& arguments, Context& context) {
  client::ServiceDraft draft;
  draft.name = arguments.text("NAME");
  draft.network = arguments.text("--network");
  if (draft.network.empty()) {
    return fail(Errc::invalid, "--network is missing: a service is one network's");
  }
  TRY(draft.ports, parse_ports(arguments.list("--port")));
  if (draft.ports.empty()) return fail(Errc::invalid, "--port is missing, such as --port 8080");
  const std::string& mode = arguments.text("--endpoint-mode");
  if (!mode.empty() && mode != "vip" && mode != "dnsrr") {
    return fail(Errc::invalid, "--endpoint-mode '" + mode + "' is unknown; choose vip or dnsrr");
  }
  draft.vip = mode != "dnsrr";
  TRY(draft.labels, parse_pairs("--label", arguments.list("--label")));
  TRY(auto* daemon, context.daemon());
  TRY(const auto service, daemon->create_service(draft, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(service));
  } else {
    context.out << service.id << "\n";
  }
  return kDone;
}

Result<int> update(const Arguments& arguments, Context& context) {
  client::ServiceChange change;
  change.service = arguments.text("SERVICE");
  TRY(change.labels, parse_pairs("--label-add", arguments.list("--label-add")));
  change.removed_labels = arguments.list("--label-rm");
  if (change.labels.empty() && change.removed_labels.empty()) {
    return fail(Errc::invalid, "nothing to change: give --label-add or --label-rm");
  }
  TRY(auto* daemon, context.daemon());
  TRY(const auto service, daemon->update_service(change, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(service));
  } else {
    context.out << output::printable(service.name) << "\n";
  }
  return kDone;
}

Result<int> rm(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  for (const std::string& service : arguments.list("SERVICE")) {
    TRY_DO(daemon->remove_service(service, context.deadline()));
    if (context.format == Format::table) context.out << output::printable(service) << "\n";
  }
  return kDone;
}

constexpr Flag kCreateFlags[] = {
    {"--network", "NETWORK", "the network that the service is in"},
    kPortFlag,
    {"--endpoint-mode", "MODE",
     "vip: its name leads to an address of its own (default); dnsrr: to the backends themselves"},
    {"--label", "KEY=VALUE...", "set a label"},
};
constexpr Flag kUpdateFlags[] = {
    {"--label-add", "KEY=VALUE...", "set a label"},
    {"--label-rm", "KEY...", "take a label away"},
};

constexpr Command kCommands[] = {
    {"service create NAME",
     "Declare a service: it has its name and address before its first backend and after its last",
     "heddle service create --network app --port 8080/http web\n"
     "heddle run --network app --service web -- ./server",
     kCreateFlags, create},
    {"service ls", "List services", "heddle service ls", {}, ls},
    {"service inspect SERVICE",
     "Show a service (NAME or NAME.NETWORK) and its backends",
     "heddle service inspect web\nheddle service inspect web.app --format json",
     {},
     inspect},
    {"service update SERVICE", "Label a service", "heddle service update --label-add tier=1 web",
     kUpdateFlags, update},
    {"service rm SERVICE...",
     "Remove declared services that have no backends",
     "heddle service rm web",
     {},
     rm},
    {"service ps SERVICE", "List the backends of a service", "heddle service ps web", {}, ps},
};

}  // namespace
}  // namespace service

void register_service(CLI::App& app, Context& context) {
  ensure_group(app, "service", "Services: a name and an address in front of backends");
  for (const auto& command : service::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
