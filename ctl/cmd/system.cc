#include <unistd.h>

#include <iostream>
#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/completion.h"
#include "ctl/output/json.h"
#include "ctl/output/table.h"

namespace heddle::cmd {
namespace system {
namespace {

// 1 when differences stay, so that scripts and monitoring can ask.
void print_notes(std::ostream& out, const std::vector<std::string>& notes) {
  for (const auto& sentence : notes) out << "note: " << output::printable(sentence) << "\n";
}

Result<int> verify(const Arguments& arguments, Context& context) {
  const auto repair = arguments.has("--repair") ? client::Repair::yes : client::Repair::no;
  TRY(auto* daemon, context.daemon());
  TRY(const auto verified, daemon->verify(repair, context.deadline()));
  const bool clean = verified.differences.size() <= verified.repaired.size();
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(verified));
    return clean ? kDone : kFailed;
  }
  if (verified.differences.empty()) {
    context.out << "No difference: the kernel is as the state wants it.\n";
    print_notes(context.out, verified.notes);
    return kDone;
  }
  for (const auto& sentence : verified.differences) {
    context.out << output::printable(sentence) << "\n";
  }
  context.out << verified.differences.size() << " differences";
  if (repair == client::Repair::yes) context.out << ", " << verified.repaired.size() << " repaired";
  context.out << ".\n";
  print_notes(context.out, verified.notes);
  return clean ? kDone : kFailed;
}

void print_dns(std::ostream& out, const client::Dns& dns) {
  out << "\n";
  output::Details lines;
  lines.add("Host resolver", dns.host_resolver);
  for (const auto& upstream : dns.upstreams) {
    lines.add("Name server", upstream.address + (upstream.up ? "" : " (does not answer)"));
  }
  lines.print(out);
  if (dns.counters.empty()) return;
  out << "\n";
  output::Table table({"DNS", "COUNT"});
  for (const auto& counter : dns.counters) {
    table.add({counter.name, std::to_string(counter.value)});
  }
  table.print(out);
}

void print_info(std::ostream& out, const client::SystemInfo& info) {
  output::Details lines;
  lines.add("Version", info.version);
  lines.add("Node", info.node_name);
  lines.add("Kernel", info.kernel);
  lines.add("State", info.state_dir);
  lines.add("Run", info.run_dir);
  lines.add("Cgroup", info.cgroup);
  lines.add("Swarm", info.swarm);
  lines.add("Networks", std::to_string(info.networks));
  lines.add("Endpoints", std::to_string(info.endpoints));
  lines.add("Workloads", std::to_string(info.workloads));
  lines.print(out);
  print_dns(out, info.dns);
  if (!info.capabilities.empty()) {
    out << "\n";
    output::Table table({"CAPABILITY", "PRESENT", "WITHOUT IT"});
    for (const auto& capability : info.capabilities) {
      table.add({capability.name, capability.present ? "yes" : "no", capability.lost});
    }
    table.print(out);
  }
  if (!info.drops.empty()) {
    out << "\n";
    output::Table table({"DROP REASON", "PACKETS", "BYTES"});
    for (const auto& drop : info.drops) {
      table.add({drop.reason, std::to_string(drop.packets), std::to_string(drop.bytes)});
    }
    table.print(out);
  }
  if (!info.notes.empty()) out << "\n";
  print_notes(out, info.notes);
}

Result<int> info(const Arguments&, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto reply, daemon->system_info(context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(reply));
  } else {
    print_info(context.out, reply);
  }
  return kDone;
}

Result<int> reset(const Arguments& arguments, Context& context) {
  if (!arguments.has("--force")) {
    return fail(Errc::invalid,
                "reset removes every workload, network and load balancer of this node and stops "
                "its heddled; add --force to do it");
  }
  TRY(auto* daemon, context.daemon());
  TRY_DO(daemon->reset(context.deadline()));
  return kDone;
}

Result<int> completion(const Arguments& arguments, Context& context) {
  TRY(const auto script, completion_script(arguments.text("SHELL")));
  context.out << script;
  return kDone;
}

Result<int> version(const Arguments&, Context& context) {
  if (context.format == Format::json) {
    output::print(context.out, boost::json::value{{"version", HEDDLE_VERSION}});
  } else {
    context.out << "heddle " HEDDLE_VERSION "\n";
  }
  return kDone;
}

constexpr Flag kVerifyFlags[] = {{"--repair", "", "mend what differs"}};
constexpr Flag kResetFlags[] = {{"--force,-f", "", "yes, everything"}};

constexpr Command kCommands[] = {
    {"verify", "Compare the kernel with the state, in words; status 1 when they differ",
     "heddle verify\nheddle verify --repair", kVerifyFlags, verify},
    {"system info",
     "Show this node: its kernel, what that lacks, its resolver, what was dropped",
     "heddle system info",
     {},
     info},
    {"system reset", "Take everything of this node's Heddle down, and stop heddled",
     "heddle system reset --force", kResetFlags, reset},
    {"completion SHELL",
     "Print a completion script for bash, zsh or fish",
     "heddle completion bash > /etc/bash_completion.d/heddle\n"
     "heddle completion zsh > /usr/local/share/zsh/site-functions/_heddle\n"
     "heddle completion fish > ~/.config/fish/completions/heddle.fish",
     {},
     completion},
    {"version", "Print the version", "heddle version", {}, version},
};

}  // namespace
}  // namespace system

void register_system(CLI::App& app, Context& context) {
  ensure_group(app, "system", "This node's Heddle as a whole");
  for (const auto& command : system::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
