#include <array>
#include <ctime>
#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/labs.h"
#include "ctl/output/table.h"
#include "topologies/engine/control/channel.h"

namespace heddle::cmd {
namespace lab_events {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongPoll = 20s;

constexpr Flag kFlags[] = {
    {"--follow,-f", "", "go on with what happens from now, until Ctrl-C or the lab's end"},
    kLabName,
    kLabDir};

// 2026-01-02 15:04:05.678, in this machine's time.
std::string format_time(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> date;
  const std::size_t size = std::strftime(date.data(), date.size(), "%Y-%m-%d %H:%M:%S", &local);
  const std::string fraction = std::to_string(unix_ms % 1000 + 1000).substr(1);
  return std::string(date.data(), size) + "." + fraction;
}

std::string padded(const std::string& text, std::size_t width) {
  return text.size() < width ? text + std::string(width - text.size(), ' ') : text;
}

// A line for each, so that it can be followed; widths that most fit in.
void print(Context& context, const control::Event& event) {
  if (context.format == Format::json) {
    context.out << control::format_json(event) << "\n";
  } else {
    context.out << format_time(event.unix_ms) << "   " << padded(output::printable(event.kind), 14)
                << "   "
                << padded(output::printable(event.subject.empty() ? "-" : event.subject), 16)
                << "   " << output::printable(event.text) << "\n";
  }
}

Result<int> run(const Arguments& arguments, Context& context) {
  const auto paths = meant(arguments, arguments.text("FILE"));
  if (!paths) return failed(context, paths.error());
  if (const auto there = lab::need_deployed(*paths); !there) return failed(context, there.error());
  const bool follow = arguments.has("--follow");
  const control::Client client(paths->socket());
  std::uint64_t last = 0;
  for (bool first = true;; first = false) {
    const auto reply = client.ask(
        {.op = control::Op::events, .timeout = follow && !first ? kLongPoll : 0s, .after = last});
    if (!reply && !first) {
      // It answered before: the lab was taken away meanwhile.
      if (reply.error().code() != Errc::unavailable && client.answers())
        return failed(context, reply.error());
      context.err << "lab " << paths->lab() << " is gone\n";
      return kDone;
    }
    if (!reply) return failed(context, reply.error());
    if (!reply->events) return failed(context, {Errc::internal, "heddle-labd sent no events"});
    for (const control::Event& event : *reply->events) {
      if (event.number > last + 1)
        context.err << event.number - last - 1 << " earlier events were forgotten\n";
      last = event.number;
      print(context, event);
    }
    context.out.flush();
    if (!context.out) return kDone;  // nobody reads any more
    if (!follow && reply->events->empty()) return kDone;
  }
}

constexpr Command kCommand{.path = "lab events [FILE]",
                           .summary = "What has happened to a lab since its deploy",
                           .example =
                               "  heddle lab events --name demo\n"
                               "  heddle lab events --follow --format json",
                           .flags = kFlags,
                           .run = run};

}  // namespace
}  // namespace lab_events

void register_lab_events(CLI::App& app, Context& context) {
  add_command(app, context, lab_events::kCommand);
}

}  // namespace heddle::cmd
