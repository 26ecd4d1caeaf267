#include "ctl/cmd/lab_run.h"

#include <charconv>
#include <cstdint>
#include <fstream>
#include <ostream>

#include "ctl/cmd/lab_once.h"
#include "ctl/cmd/lab_search.h"
#include "ctl/cmd/node_filter.h"
#include "topologies/engine/plan/plan.h"

namespace heddle::cmd {
namespace {

constexpr Flag kRunFlags[] = {
    {"--keep", "", "leave the lab as it is after its run"},
    {"--seed", "N", "of everything that is left to chance, in place of the file's"},
    {"--junit", "FILE", "also write the result as JUnit XML"},
    {"--repeat", "N",
     "so many runs, each with a seed of its own; the status tells whether all held"},
    {"--shrink", "",
     "after a failure, find the fewest faults that still fail; written to "
     "LAB.repro.lab.yml"},
    {"--search", "",
     "in place of the file's faults, each link cut and each host and node killed, "
     "then every two of them: which breaks which checks"},
    {"--search-limit", "N", "so many failures at most (1000), the single ones first"},
    kNodeFilter,
    kRuntime,
    kLabDir};

struct RunOptions {
  std::uint64_t seed = 0;
  unsigned repeat = 1;
  unsigned search_limit = 1000;
};

Result<std::uint64_t> parse_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const char* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, seed);
  if (ec != std::errc() || stop != end || seed > INT64_MAX)
    return fail(Errc::invalid, "--seed must be a whole number, not \"" + text + "\"");
  return seed;
}

Result<RunOptions> options_of(const Arguments& arguments, const format::Lab& lab) {
  RunOptions out{.seed = plan::seed_of(lab)};
  if (arguments.has("--seed")) {
    TRY(out.seed, parse_seed(arguments.text("--seed")));
  }
  if (arguments.has("--repeat")) {
    TRY(out.repeat, parse_number("--repeat", arguments.text("--repeat"), {1, 100'000}));
  }
  if (arguments.has("--search-limit")) {
    TRY(out.search_limit,
        parse_number("--search-limit", arguments.text("--search-limit"), {1, 10'000'000}));
    if (!arguments.has("--search"))
      return fail(Errc::invalid, "--search-limit bounds --search; give that too");
  }
  const int modes =
      arguments.has("--repeat") + arguments.has("--shrink") + arguments.has("--search");
  if (modes > 1)
    return fail(Errc::invalid, "--repeat, --shrink and --search are runs of their own; choose one");
  if (modes == 1 && arguments.has("--keep"))
    return fail(Errc::invalid, "--keep goes with a single run; leave it out");
  if (arguments.has("--search") && lab.checks.empty())
    return fail(Errc::invalid, "--search tells which checks break, and " + lab.file + " has none");
  return out;
}

Result<> write_junit(const std::string& path, const scenario::Report& report) {
  std::ofstream file(path);
  file << scenario::format_junit(report);
  file.close();
  if (!file) return fail(Errc::denied, "cannot write " + path);
  return {};
}

std::string again(const Arguments& arguments, const scenario::Report& report) {
  std::string out = "heddle lab run --seed " + std::to_string(report.seed);
  if (arguments.has("--runtime")) out += " --runtime " + arguments.text("--runtime");
  if (arguments.has("--lab-dir")) out += " --lab-dir " + arguments.text("--lab-dir");
  return out + " " + arguments.text("FILE");
}

// One run, told as it goes.
Result<int> run_once(const Arguments& arguments, Context& context, const format::Lab& lab,
                     const RunOptions& options, LabRuns& runs) {
  const bool human = context.format == Format::table;
  auto report = runs.run(lab, options.seed, human ? LabRuns::Talk::yes : LabRuns::Talk::no);
  if (!report) return failed(context, report.error());
  if (arguments.has("--junit")) {
    const auto written = write_junit(arguments.text("--junit"), *report);
    if (!written) return failed(context, written.error());
  }
  context.out << (human ? "\n" + scenario::format_result(*report) : scenario::format_json(*report));
  if (report->passed()) return kDone;
  if (report->skipped()) return kSkipped;
  if (human) context.out << "again: " << again(arguments, *report) << "\n";
  if (!report->held && arguments.has("--shrink"))
    return shrink_run(context, lab, *std::move(report), runs);
  return kFailed;
}

Result<int> run(const Arguments& arguments, Context& context) {
  const std::string& file = arguments.text("FILE");
  TRY(const auto node_filter, parse_node_filter(arguments.list("--node-filter")));
  TRY(const auto runtime, parse_runtime(arguments));
  const auto lab = load_filtered(arguments);
  if (!lab) return failed(context, lab.error());
  TRY(const RunOptions options, options_of(arguments, *lab));
  print_warnings(context, *lab);
  const auto runs = LabRuns::prepare(*lab,
                                     {.file = file,
                                      .lab_dir = arguments.text("--lab-dir"),
                                      .node_filter = node_filter,
                                      .runtime = runtime,
                                      .keep = arguments.has("--keep")},
                                     context);
  if (!runs) return failed(context, runs.error());
  if (arguments.has("--search"))
    return search_failures(context, *lab, {.seed = options.seed, .limit = options.search_limit},
                           **runs);
  if (arguments.has("--repeat"))
    return repeat_runs(context, *lab, {.first_seed = options.seed, .runs = options.repeat}, **runs);
  return run_once(arguments, context, *lab, options, **runs);
}

}  // namespace

const Command kLabRun{
    .path = "lab run FILE",
    .summary =
        "Deploy a lab, run its steps and faults, watch its checks, and take it away; the "
        "status tells whether all held",
    .example =
        "  heddle lab run demo.lab.yml\n  heddle lab run --keep demo.lab.yml\n"
        "  heddle lab run --seed 7 --shrink failover.lab.yml\n"
        "  heddle lab run --repeat 20 failover.lab.yml",
    .flags = kRunFlags,
    .run = run};

}  // namespace heddle::cmd
