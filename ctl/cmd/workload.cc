#include <cstdlib>
#include <ostream>

#include "ctl/cmd/attachment.h"
#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/exec.h"
#include "ctl/output/json.h"
#include "ctl/output/ports.h"
#include "ctl/output/table.h"
#include "ctl/output/words.h"
#include "netd/model/workload_dns.h"

namespace heddle::cmd {
namespace workload {
namespace {

Result<model::RestartPolicy> parse_restart(const std::string& text) {
  if (text.empty() || text == "no") return model::RestartPolicy::no;
  if (text == "on-failure") return model::RestartPolicy::on_failure;
  if (text == "always") return model::RestartPolicy::always;
  return fail(Errc::invalid,
              "--restart '" + text + "' is unknown; choose no, on-failure or always");
}

// `KEY=VALUE`, or `KEY` for its value here.
Result<std::map<std::string, std::string>> parse_environment(
    const std::vector<std::string>& given) {
  std::vector<std::string> pairs;
  for (const auto& entry : given) {
    if (entry.find('=') != std::string::npos) {
      pairs.push_back(entry);
    } else if (const char* value = std::getenv(entry.c_str())) {
      pairs.push_back(entry + "=" + value);
    }
  }
  return parse_pairs("--env", pairs);
}

Result<> add_dns(const Arguments& arguments, model::Labels& labels) {
  constexpr std::pair<const char*, const char*> kFlags[] = {
      {"--dns", model::kDnsServersLabel},
      {"--dns-search", model::kDnsSearchLabel},
      {"--dns-option", model::kDnsOptionsLabel}};
  for (const auto& [flag, label] : kFlags) {
    if (!arguments.list(flag).empty() && labels.contains(label))
      return fail(Errc::invalid, std::string(flag) + ": --label " + label +
                                     " says the same differently; give one of them");
  }
  model::WorkloadDns dns;
  TRY(dns.servers, model::parse_dns_servers(arguments.list("--dns")).during("--dns"));
  dns.search = arguments.list("--dns-search");
  TRY_DO(model::check_dns_words(dns.search).during("--dns-search"));
  dns.options = arguments.list("--dns-option");
  TRY_DO(model::check_dns_words(dns.options).during("--dns-option"));
  model::put_dns(dns, labels);
  TRY_DO(model::dns_of(labels).during("--label"));
  return {};
}

// The flags of one attachment hold for the first network: a service is on one network.
Result<std::vector<client::Attachment>> attachments_of(const Arguments& arguments) {
  TRY(auto first, parse_attachment(arguments));
  std::vector<client::Attachment> attachments;
  for (const auto& network : arguments.list("--network")) {
    auto& attachment =
        attachments.emplace_back(attachments.empty() ? std::move(first) : client::Attachment());
    attachment.network = network;
  }
  return attachments;
}

// The ports of the host that the daemon chose for `-p PORT`.
void print_chosen(std::ostream& out, const client::Started& started,
                  const std::vector<client::Attachment>& networks) {
  if (networks.empty()) return;
  for (const auto& endpoint : started.endpoints) {
    output::print_ports(out, output::chosen_of(endpoint.published, networks.front().published));
  }
}

Result<int> run(const Arguments& arguments, Context& context) {
  const std::string flag = given_attachment_flag(arguments);
  if (!flag.empty() && !arguments.has("--network")) {
    return fail(Errc::invalid, flag + " needs --network");
  }
  client::RunDraft draft;
  draft.name = arguments.text("--name");
  draft.command = context.command;
  draft.directory = arguments.text("--workdir");
  TRY(draft.restart, parse_restart(arguments.text("--restart")));
  TRY(draft.environment, parse_environment(arguments.list("--env")));
  TRY(draft.labels, parse_pairs("--label", arguments.list("--label")));
  TRY(draft.networks, attachments_of(arguments));
  TRY_DO(add_dns(arguments, draft.labels));
  TRY(auto* daemon, context.daemon());
  TRY(const auto started, daemon->run(draft, context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(started));
  } else {
    context.out << started.workload.name << "\n";
    print_chosen(context.out, started, draft.networks);
  }
  return kDone;
}

std::string state_of(const model::Workload& workload) {
  std::string state(output::word(workload.state));
  if (workload.state == model::WorkloadState::exited) {
    state += " (" + std::to_string(workload.exit_status) + ")";
  }
  return state;
}

Result<int> ps(const Arguments&, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto workloads, daemon->list_workloads(context.deadline()));
  if (context.format == Format::json) {
    output::print(context.out, output::to_json(workloads));
    return kDone;
  }
  output::Table table({"ID", "NAME", "KIND", "STATE", "PID", "RESTARTS", "COMMAND"});
  for (const auto& workload : workloads) {
    table.add({workload.id, workload.name, std::string(output::word(workload.kind)),
               state_of(workload), workload.pid > 0 ? std::to_string(workload.pid) : "",
               std::to_string(workload.restarts), output::joined(workload.command, " ")});
  }
  table.print(context.out);
  return kDone;
}

// Goes on past one that cannot be removed, and gives the first error at the end.
Result<int> rm(const Arguments& arguments, Context& context) {
  const auto force = arguments.has("--force") ? client::Force::yes : client::Force::no;
  TRY(auto* daemon, context.daemon());
  Result<int> status = kDone;
  for (const auto& ref : arguments.list("WORKLOAD")) {
    const auto removed = daemon->remove_workload(ref, force, context.deadline());
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

Result<int> exec(const Arguments& arguments, Context& context) {
  TRY(auto* daemon, context.daemon());
  TRY(const auto workloads, daemon->list_workloads(context.deadline()));
  TRY(const auto workload, find_workload(workloads, arguments.text("WORKLOAD")));
  context.out.flush();
  context.connected.reset();  // its threads go before ours changes namespaces
  return exec_in(workload, context.command);
}

constexpr std::array kStartFlags = {
    Flag{"--name", "NAME", "name; made up when absent"},
    Flag{"--restart", "POLICY", "no (default), on-failure or always; always also after a reboot"},
    Flag{"--env,-e", "KEY=VALUE...", "environment variable; KEY alone takes its value here"},
    Flag{"--workdir,-w", "PATH", "directory that it starts in; / when absent"},
    Flag{"--label,-l", "KEY=VALUE...", "label"},
    Flag{"--dns", "IP...", "server to ask for names that are not ours; the host's when absent"},
    Flag{"--dns-search", "DOMAIN...", "search domain instead of the host's; . for none at all"},
    Flag{"--dns-option,--dns-opt", "OPTION...",
         "option of resolv.conf(5), such as ndots:2, instead of the host's"},
    Flag{"--network", "NETWORK...", "network to connect to; what follows holds for the first"},
};
constexpr auto kRunFlags = joined_flags(kStartFlags, kAttachmentFlags);

constexpr Flag kRmFlags[] = {
    {"--force,-f", "", "stop it first: SIGTERM, after 10 seconds SIGKILL"},
};

constexpr Command kCommands[] = {
    {"run -- COMMAND...", "Start a process in a new sandbox; its name is printed",
     "heddle run --network app --service web --port 8080/http -- nginx -g 'daemon off;'\n"
     "heddle run --name client --network app --restart always -- sleep infinity\n"
     "heddle run --network app -p 127.0.0.1:8080:80 --ip 10.40.0.9 -- nginx -g 'daemon off;'\n"
     "heddle run --network app --dns 192.0.2.53 --dns-search corp.example -- ./client",
     kRunFlags, run},
    {"ps", "List this node's workloads", "heddle ps", {}, ps},
    {"rm WORKLOAD...", "Remove workloads: disconnect them and forget them", "heddle rm -f client",
     kRmFlags, rm},
    {"exec WORKLOAD -- COMMAND...",
     "Run a command in a workload's network, with its names; needs root",
     "heddle exec client -- curl http://web:8080/\nheddle exec client -- bash",
     {},
     exec},
};

}  // namespace
}  // namespace workload

void register_workload(CLI::App& app, Context& context) {
  for (const auto& command : workload::kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
