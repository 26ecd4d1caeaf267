// heddle lab cut, mend, impair: links of a lab that runs.
#include <ostream>

#include "ctl/cmd/commands.h"
#include "ctl/cmd/labs.h"
#include "topologies/engine/control/channel.h"

namespace heddle::cmd {
namespace {

constexpr Flag kLinkFlags[] = {kLabName, kLabDir};
constexpr Flag kImpairFlags[] = {
    {"--delay", "TIME", "how long each packet takes: 50ms, 200us, 1.5s"},
    {"--jitter", "TIME", "how far delays spread"},
    {"--distribution", "NAME", "of the jitter: uniform, normal or pareto (default: uniform)"},
    {"--loss", "SHARE", "of packets: 1% or 0.01"},
    {"--burst", "PACKETS", "mean number of packets lost in a row"},
    {"--duplicate", "SHARE", "packets that arrive twice"},
    {"--corrupt", "SHARE", "packets in which one bit is flipped"},
    {"--reorder", "SHARE", "packets that overtake those that are delayed"},
    {"--rate", "BITS", "a second: 800kbit, 10mbit, 2.5gbit"},
    {"--limit", "PACKETS", "that wait at most, for rate or delay (default: 1000)"},
    {"--forward", "", "from the link's first end to its second only"},
    {"--backward", "", "from its second end to its first only"},
    {"--clear", "", "nothing is done to packets any more"},
    {"--reset", "", "again what the lab's file says"},
    kLabName,
    kLabDir,
};
constexpr std::string_view kImpairValues[] = {"delay", "jitter",    "distribution", "loss",
                                              "burst", "duplicate", "corrupt",      "reorder",
                                              "rate",  "limit"};

Result<int> send(const Arguments& arguments, Context& context, const control::Request& request,
                 const std::string& done) {
  const auto paths = meant(arguments, "");
  if (!paths) return failed(context, paths.error());
  if (const auto there = lab::need_deployed(*paths); !there) return failed(context, there.error());
  const auto reply = control::Client(paths->socket()).ask(request);
  if (!reply) return failed(context, reply.error());
  if (context.format != Format::json) context.out << done << "\n";
  return kDone;
}

Result<int> cut(const Arguments& arguments, Context& context) {
  const std::string& link = arguments.text("LINK");
  return send(arguments, context, {.op = control::Op::cut, .target = link}, link + " is cut");
}

Result<int> mend(const Arguments& arguments, Context& context) {
  const std::string& link = arguments.text("LINK");
  return send(arguments, context, {.op = control::Op::mend, .target = link}, link + " is mended");
}

// What the flags say. Errors: `invalid`, a usage error.
Result<format::Impairment> wanted(const Arguments& arguments) {
  format::Impairment out;
  bool any = false;
  for (const std::string_view key : kImpairValues) {
    const std::string flag = "--" + std::string(key);
    const std::string& text = arguments.text(flag);
    if (text.empty()) continue;
    any = true;
    if (const auto set = format::set_impairment(out, key, text); !set)
      return fail(Errc::invalid, flag + " " + set.error().text());
  }
  const int ways = (any ? 1 : 0) + arguments.has("--clear") + arguments.has("--reset");
  if (ways == 0)
    return fail(Errc::invalid,
                "say what the link does to packets (such as --delay 50ms), --clear or --reset");
  if (ways > 1)
    return fail(Errc::invalid,
                "--clear, --reset and what a link does to packets exclude each other");
  if (const auto wrong = format::find_contradiction(out))
    return fail(Errc::invalid, "--" + std::string(wrong->key) + " " + wrong->text);
  return out;
}

Result<int> impair(const Arguments& arguments, Context& context) {
  TRY(const format::Impairment impairment, wanted(arguments));
  const bool reset = arguments.has("--reset");
  const bool forward = arguments.has("--forward");
  const bool backward = arguments.has("--backward");
  if (reset && (forward || backward)) return fail(Errc::invalid, "--reset is for both ways");
  control::Request request{.op = control::Op::impair, .target = arguments.text("LINK")};
  if (!reset && (forward || !backward)) request.forward = impairment;
  if (!reset && (backward || !forward)) request.backward = impairment;
  std::string done = format::describe(impairment);
  if (done.empty()) done = reset ? "as the lab's file says" : "unimpaired";
  if (forward != backward) done += forward ? ", forward" : ", backward";
  return send(arguments, context, request, request.target + ": " + done);
}

constexpr Command kLinkCommands[] = {
    {.path = "lab cut LINK",
     .summary = "Cut a link of a lab: no carrier at either end",
     .example = "  heddle lab cut a:eth1\n  heddle lab cut h1",
     .flags = kLinkFlags,
     .run = cut},
    {.path = "lab mend LINK",
     .summary = "Mend a link that was cut",
     .example = "  heddle lab mend a:eth1",
     .flags = kLinkFlags,
     .run = mend},
    {.path = "lab impair LINK",
     .summary =
         "Delay, lose, corrupt, duplicate, reorder and limit what passes a link, from now on",
     .example = "  heddle lab impair a:eth1 --delay 50ms --jitter 5ms --loss 1%\n"
                "  heddle lab impair h1 --rate 10mbit --backward\n"
                "  heddle lab impair a:eth1 --clear",
     .flags = kImpairFlags,
     .run = impair},
};

}  // namespace

void register_lab_link(CLI::App& app, Context& context) {
  for (const Command& command : kLinkCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
