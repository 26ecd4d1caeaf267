#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/output/json.h"
#include "ctl/output/table.h"

namespace heddle::cmd {
namespace sidecar {
namespace {

std::string ports_of(const client::SidecarStatus& status) {
  std::string text;
  for (const auto port : status.inbound_ports) {
    text += (text.empty() ? "" : ", ") + std::to_string(port);
  }
  return text;
}

Result<int> inject(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto status, daemon->inject_sidecar(arguments.text("WORKLOAD"), context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(status));
  } else {
    context.out << output::printable(status.workload.name) << ": sidecar "
                << output::printable(status.state) << "\n";
  }
  return kDone;
}

Result<int> eject(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY_DO(daemon->eject_sidecar(arguments.text("WORKLOAD"), context.deadline()));
  return kDone;
}

Result<int> ls(const Arguments&, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto sidecars, daemon->list_sidecars(context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(sidecars));
    return kDone;
  }
  output::Table table({"WORKLOAD", "STATE", "PID", "INBOUND PORTS", "METRICS"});
  for (const auto& status : sidecars) {
    table.add({status.workload.name, status.state, status.pid > 0 ? std::to_string(status.pid) : "",
               ports_of(status), status.metrics});
  }
  table.print(context.out);
  return kDone;
}

constexpr Command kCommands[] = {
    {"sidecar inject WORKLOAD",
     "Put a proxy beside a workload, without restarting it: its connections pass it from now on",
     "heddle sidecar inject client",
     {},
     inject},
    {"sidecar eject WORKLOAD",
     "Take the proxy away again",
     "heddle sidecar eject client",
     {},
     eject},
    {"sidecar ls", "List this node's sidecars", "heddle sidecar ls", {}, ls},
};

}  // namespace
}  // namespace sidecar

void register_sidecar(CLI::App& app, Context& context) {
  ensure_group(app, "sidecar", "Proxies beside workloads");
  for (const auto& command : sidecar::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
