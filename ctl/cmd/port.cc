#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/publish.h"
#include "ctl/output/json.h"
#include "ctl/output/ports.h"
#include "ctl/output/table.h"
#include "ctl/output/words.h"

namespace heddle::cmd {
namespace port {
namespace {

client::Publication publication_of(const Arguments& arguments) {
  client::Publication publication;
  publication.network = arguments.text("--network");
  publication.workload = arguments.text("WORKLOAD");
  return publication;
}

Result<model::Endpoint> publish(const client::Publication& publication, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(auto endpoint, daemon->publish(publication, context.deadline()));
  if (context.format == Format::json) output::print(context.out, output::to_json(endpoint));
  return endpoint;
}

Result<int> add(const Arguments& arguments, Context& context) {
  auto publication = publication_of(arguments);
  TRY(publication.add, parse_publish("SPEC", arguments.list("SPEC")));
  TRY(const auto endpoint, publish(publication, context));
  if (context.format == Format::table) {
    output::print_ports(context.out, output::chosen_of(endpoint.published, publication.add));
  }
  return kDone;
}

Result<int> rm(const Arguments& arguments, Context& context) {
  auto publication = publication_of(arguments);
  for (const auto& text : arguments.list("SPEC")) {
    TRY(const auto ports, parse_publish("SPEC", text));
    if (ports.front().host_port == 0) {
      return fail(Errc::invalid, "SPEC '" + text +
                                     "': say which port of the host, as in 8080:80; heddle port ls "
                                     "shows them");
    }
    publication.remove.insert(publication.remove.end(), ports.begin(), ports.end());
  }
  TRY_DO(publish(publication, context));
  return kDone;
}

// One workload as `docker port` shows it, several as a table.
Result<int> ls(const Arguments& arguments, Context& context) {
  const auto& workload = arguments.text("WORKLOAD");
  TRY(auto* daemon, context.daemon());
  TRY(const auto endpoints, daemon->list_ports(workload, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(endpoints));
    return kDone;
  }
  if (!workload.empty()) {
    for (const auto& endpoint : endpoints) output::print_ports(context.out, endpoint.published);
    return kDone;
  }
  output::Table table({"WORKLOAD", "NETWORK", "ADDRESS", "PUBLISHED"});
  for (const auto& endpoint : endpoints) {
    for (const auto& port : endpoint.published) {
      table.add({endpoint.workload_name, endpoint.network_name, endpoint.address.format(),
                 output::format(port)});
    }
  }
  table.print(context.out);
  return kDone;
}

constexpr Flag kNetworkFlag[] = {
    {"--network", "NETWORK", "network of the workload; its only one when absent"}};

constexpr Command kCommands[] = {
    {"port add WORKLOAD SPEC...",
     "Publish ports of a connected workload: [ADDRESS:][HOST[-HOST]:]PORT[-PORT][/tcp|udp|sctp]; "
     "ports that heddled chose, for want of HOST, are printed",
     "heddle port add web 8080:80 127.0.0.1:9000-9010:9000-9010/udp\n"
     "heddle port add docker:web --network app 80",
     kNetworkFlag, add},
    {"port rm WORKLOAD SPEC...", "Take published ports back", "heddle port rm web 8080:80",
     kNetworkFlag, rm},
    {"port ls [WORKLOAD]",
     "List published ports: of one workload, or of each of this node",
     "heddle port ls\nheddle port ls web",
     {},
     ls},
};

}  // namespace
}  // namespace port

void register_port(CLI::App& app, Context& context) {
  ensure_group(app, "port", "Published ports: ports of this host that lead to workloads");
  for (const auto& command : port::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
