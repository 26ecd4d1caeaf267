#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <ostream>

#include "common/base/unique_fd.h"
#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/labs.h"
#include "topologies/engine/capture/capture.h"
#include "topologies/engine/format/reader.h"

namespace heddle::cmd {
namespace lab_capture {
namespace {

constexpr unsigned kMinSnaplen = 64;
constexpr unsigned kMaxSnaplen = 262'144;

constexpr Flag kFlags[] = {{"--output,-o", "FILE", "write it here, not to standard output"},
                           {"--count", "N", "end after so many packets"},
                           {"--time", "DURATION", "end after this time, as in 10s"},
                           {"--snaplen", "BYTES", "keep at most so much of each packet (262144)"},
                           kLabName,
                           kLabDir};

Result<capture::Limits> limits_of(const Arguments& arguments) {
  capture::Limits limits;
  if (arguments.has("--count")) {
    TRY(limits.count, parse_number("--count", arguments.text("--count"), {1, 4'000'000'000}));
  }
  if (arguments.has("--time")) {
    auto time = format::parse_duration(arguments.text("--time"));
    if (!time) return std::unexpected(std::move(time).error().during("--time"));
    limits.time = *time;
  }
  if (arguments.has("--snaplen")) {
    TRY(limits.snaplen,
        parse_number("--snaplen", arguments.text("--snaplen"), {kMinSnaplen, kMaxSnaplen}));
  }
  return limits;
}

// Readable once the user has had enough: the file is then ended as it should be.
UniqueFd open_stop() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC));
}

std::string_view why(capture::Summary::Why why) {
  switch (why) {
    case capture::Summary::Why::link_gone:
      return "; the link is gone";
    case capture::Summary::Why::reader_gone:
      return "; nobody reads any more";
    default:
      return "";
  }
}

Result<int> run(const Arguments& arguments, Context& context) {
  TRY(const capture::Limits limits, limits_of(arguments));
  const std::string& output = arguments.text("--output");
  if (output.empty() && ::isatty(STDOUT_FILENO))
    return fail(Errc::invalid,
                "packets are no text for a terminal: give --output FILE, or pipe them into "
                "`wireshark -k -i -` or `tcpdump -n -r -`");
  const auto paths = meant(arguments, "");
  if (!paths) return failed(context, paths.error());
  const auto status = ask_status(*paths);
  if (!status) return failed(context, status.error());
  const auto place = capture::find_place(arguments.text("LINK"), *status, paths->switch_netns());
  if (!place) return failed(context, place.error());
  UniqueFd file;
  if (!output.empty()) {
    file.reset(::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file) return failed(context, fail_errno(errno, "create " + output).error());
  }
  const UniqueFd stop = open_stop();
  if (!stop) return failed(context, fail_errno(errno, "wait for signals").error());
  context.err << "capturing " << place->name << "; Ctrl-C ends\n";
  context.err.flush();
  const auto summary = capture::capture(
      *place, limits, {.output = file ? file.get() : STDOUT_FILENO, .stop = stop.get()});
  if (!summary) return failed(context, summary.error());
  context.err << summary->packets << " packets captured, " << summary->dropped
              << " dropped by the kernel" << why(summary->why) << "\n";
  return kDone;
}

constexpr Command kCommand{
    .path = "lab capture LINK",
    .summary =
        "What goes over a link (NODE:INTERFACE, or NODE for its link to the underlay), as "
        "pcapng",
    .example =
        "  heddle lab capture h1 | wireshark -k -i -\n"
        "  heddle lab capture node1-1:eth2 | tcpdump -n -r -\n"
        "  heddle lab capture --name demo h1:eth0 --time 10s -o h1.pcapng",
    .flags = kFlags,
    .run = run};

}  // namespace
}  // namespace lab_capture

void register_lab_capture(CLI::App& app, Context& context) {
  add_command(app, context, lab_capture::kCommand);
}

}  // namespace heddle::cmd
