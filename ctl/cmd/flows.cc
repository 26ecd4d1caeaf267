#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <ctime>
#include <iomanip>
#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/output/table.h"
#include "netd/client/flows.h"

namespace heddle::cmd {
namespace flows {
namespace {

using std::chrono::milliseconds;

// 2026-01-02T03:04:05.123456Z
std::string format(std::chrono::sys_time<std::chrono::microseconds> time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t seconds = whole.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &parts);
  const std::string fraction = std::to_string((time - whole).count());
  return std::string(text, size) + std::string(6 - fraction.size(), '0') + fraction + "Z";
}

boost::json::object to_json(const client::Flow& flow) {
  return {{"time", format(flow.at)},
          {"verdict", flow.verdict},
          {"reason", flow.reason},
          {"network", flow.network},
          {"protocol", flow.protocol},
          {"from", flow.from},
          {"from_workload", flow.from_workload},
          {"to", flow.to},
          {"to_workload", flow.to_workload},
          {"service", flow.service},
          {"backend", flow.backend},
          {"node", flow.node},
          {"bytes", flow.bytes}};
}

// `10.40.0.5:40000 (web-h1)`: what is known of an end.
std::string end_text(const std::string& address, const std::string& name) {
  if (address.empty()) return name.empty() ? "-" : name;
  return name.empty() ? address : address + " (" + name + ")";
}

// What became of it, beside the verdict.
std::string detail(const client::Flow& flow) {
  if (!flow.reason.empty()) return flow.reason;
  if (!flow.backend.empty()) return "at " + end_text(flow.backend, flow.to_workload);
  if (flow.node.empty()) return "";
  return (flow.verdict == "forwarded" ? "to " : "from ") + flow.node;
}

// Columns of a fixed width: lines come as it happens.
void print_line(std::ostream& out, const client::Flow& flow) {
  const bool call = !flow.backend.empty() || flow.verdict == "refused";
  const auto cell = [&](int width, const std::string& text) {
    out << std::left << std::setw(width) << output::printable(text) << " ";
  };
  cell(15, format(flow.at).substr(11, 15));
  cell(9, flow.verdict);
  cell(5, flow.protocol);
  cell(30, end_text(flow.from, flow.from_workload));
  cell(30, end_text(flow.to, call ? flow.service : flow.to_workload));
  cell(12, flow.network);
  out << output::printable(detail(flow)) << "\n";
}

void print(Context& context, const client::FlowPage& page) {
  for (const client::Flow& flow : page.flows) {
    if (context.format == Format::json) {
      context.out << boost::json::serialize(to_json(flow)) << "\n";
    } else {
      print_line(context.out, flow);
    }
  }
  // Beside the flows, so that what reads them reads nothing else.
  if (page.lost != 0) {
    context.err << page.lost << " not recorded: there were too many; give --one-of\n";
  }
  context.out.flush();
}

Result<client::FlowQuery> parse(const Arguments& arguments) {
  client::FlowQuery query;
  query.workload = arguments.text("--workload");
  query.service = arguments.text("--service");
  query.verdict = arguments.text("--verdict");
  query.reason = arguments.text("--reason");
  if (arguments.has("--one-of")) {
    TRY(query.one_of, parse_number("--one-of", arguments.text("--one-of"), {1, 1'000'000'000}));
  }
  return query;
}

Result<int> watch(const Arguments& arguments, Context& context) {
  TRY(client::FlowQuery query, parse(arguments));
  unsigned seconds = 2;
  if (arguments.has("--for")) {
    TRY(seconds, parse_number("--for", arguments.text("--for"), {1, 86'400}));
  }
  const bool follow = arguments.has("--follow");
  if (follow && arguments.has("--for"))
    return fail(Errc::invalid, "--follow has no end; give it or --for, not both");
  TRY(const auto flows, client::FlowReader::connect(context.socket));
  // From now on: the number to read after.
  TRY(const auto first, flows->read(query, context.deadline()));
  query.after = first.last;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
    if (!follow && left <= milliseconds(0)) return kDone;
    query.wait = follow ? milliseconds(1000) : std::min(left, milliseconds(1000));
    TRY(const auto page, flows->read(query, context.deadline()));
    query.after = page.last;
    print(context, page);
    if (!context.out) return kDone;  // nobody reads any more
  }
}

constexpr Flag kFlags[] = {
    {"--follow,-f", "", "go on until interrupted"},
    {"--for", "SECONDS", "how long to watch; 2 when absent"},
    {"--workload", "NAME", "only what this workload sends, receives or calls"},
    {"--service", "NAME", "only calls of this service"},
    {"--verdict", "VERDICT",
     "only delivered, forwarded, host, dropped; of calls balanced, steered, refused"},
    {"--reason", "REASON", "only drops and refusals for this reason, as of `heddle system info`"},
    {"--one-of", "NUMBER", "of packets and calls that go on, record one of so many; 1 when absent"},
};

constexpr Command kCommand = {
    "flows", "Watch packets and calls of this node's overlay workloads, and what became of them",
    "heddle flows --follow --workload web\nheddle flows --verdict dropped --for 10\n"
    "heddle flows --format json --one-of 100 | jq .to",
    kFlags, watch};

}  // namespace
}  // namespace flows

void register_flows(CLI::App& app, Context& context) {
  add_command(app, context, flows::kCommand);
}

}  // namespace heddle::cmd
