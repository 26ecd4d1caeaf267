#include "ctl/cmd/lab_search.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <map>
#include <ostream>

#include "ctl/output/table.h"
#include "topologies/engine/faults/search.h"
#include "topologies/engine/faults/shrink.h"

namespace heddle::cmd {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxShrinkRuns = 200;

std::string describe(const std::vector<faults::Occurrence>& occurrences) {
  std::string out;
  for (const faults::Occurrence& occurrence : occurrences)
    out += (out.empty() ? "" : ", ") + faults::describe(occurrence);
  return out.empty() ? "no fault at all" : out;
}

void print_occurrences(std::ostream& out, const std::vector<faults::Occurrence>& occurrences) {
  for (const faults::Occurrence& occurrence : occurrences) {
    out << "  +" << checks::format_time(occurrence.at) << "  " << faults::describe(occurrence);
    if (occurrence.lasts) out << ", for " << checks::format_time(*occurrence.lasts);
    out << "\n";
  }
}

// The lab's own file with these faults in place of its own. What is written is read again: a file
// that does not say the same is worth nothing.
Result<std::string> write_repro(const format::Lab& lab, const faults::Occurrences& occurrences,
                                std::uint64_t seed) {
  TRY(const std::string text, format::read_lab_file(lab.file));
  TRY(const std::string repro,
      faults::replace_faults(text, faults::format_faults(occurrences, seed)));
  const std::string path = lab.directory + "/" + lab.name + ".repro.lab.yml";
  std::ofstream file(path);
  file
      << "# Made by `heddle lab run --shrink`: the fewest faults found with which it still fails.\n"
      << repro;
  file.close();
  if (!file) return fail(Errc::denied, "cannot write " + path);
  TRY(const format::Lab read, format::load_lab(path).during("what was written to " + path));
  if (read.faults.size() != occurrences.size() || read.checks.size() != lab.checks.size())
    return fail(Errc::internal, path + " does not say what was meant");
  return path;
}

// Which checks did not hold, by name.
std::vector<std::string> broken_checks(const scenario::Report& report) {
  std::vector<std::string> out;
  for (const scenario::CheckReport& check : report.checks) {
    if (!check.verdict.passed && std::ranges::find(out, check.name) == out.end())
      out.push_back(check.name);
  }
  return out;
}

std::string mark_of(const std::string& check, const format::Lab& looked,
                    const scenario::Report& report) {
  const bool made =
      std::ranges::find(looked.checks, check, &format::Check::name) != looked.checks.end();
  if (!made) return "-";  // nobody is left to look
  const auto broken = broken_checks(report);
  if (std::ranges::find(broken, check) != broken.end()) return "breaks";
  return report.held ? "holds" : "?";  // its steps failed, or a fault could not be made
}

}  // namespace

Result<int> repeat_runs(Context& context, const format::Lab& lab, const Repeats& repeats,
                        LabRuns& runs) {
  const bool human = context.format == Format::table;
  std::map<std::string, std::vector<std::uint64_t>> failures;
  json::array all;
  unsigned passed = 0;
  for (unsigned i = 0; i < repeats.runs; ++i) {
    const std::uint64_t seed = repeats.first_seed + i;
    const auto report = runs.run(lab, seed, LabRuns::Talk::no);
    if (!report) return failed(context, report.error());
    const std::string verdict = scenario::format_verdict(*report);
    passed += report->passed();
    if (!report->passed()) failures[report->held ? "invalid" : report->failure()].push_back(seed);
    all.push_back({{"seed", seed}, {"passed", report->passed()}, {"verdict", verdict}});
    if (human)
      context.out << "run " << i + 1 << " of " << repeats.runs << ", seed " << seed << ": "
                  << output::printable(verdict) << std::endl;
  }
  if (human) {
    context.out << "lab " << lab.name << ": " << passed << " of " << repeats.runs << " runs held\n";
    for (const auto& [what, seeds] : failures) {
      context.out << "  " << seeds.size() << " failed at " << output::printable(what) << ", seeds";
      for (const std::uint64_t seed : seeds) context.out << " " << seed;
      context.out << "\n";
    }
  } else {
    const json::object out{{"lab", lab.name},
                           {"runs", std::move(all)},
                           {"passed", passed},
                           {"failed", repeats.runs - passed}};
    context.out << json::serialize(out) << "\n";
  }
  return failures.empty() ? kDone : kFailed;
}

Result<int> shrink_run(Context& context, const format::Lab& lab, scenario::Report failure,
                       LabRuns& runs) {
  const std::string wanted = failure.failure();
  std::ostream& out = context.format == Format::table ? context.out : context.err;
  out << "\nshrinking " << failure.occurrences.size() << " faults that fail at "
      << output::printable(wanted) << "\n";
  std::optional<Error> broken;
  const auto shrunk = faults::shrink(
      failure.occurrences,
      [&](const faults::Occurrences& occurrences) -> Result<bool> {
        auto report = runs.run_with(lab, occurrences, failure.seed);
        if (!report) {
          broken = report.error();
          return std::unexpected(std::move(report).error());
        }
        const bool same = !report->held && report->failure() == wanted;
        out << "  "
            << (same           ? "fails"
                : report->held ? "holds"
                               : "fails otherwise")
            << " with " << output::printable(describe(occurrences)) << std::endl;
        return same;
      },
      kMaxShrinkRuns);
  out << "after " << shrunk.runs << " runs, "
      << (shrunk.occurrences.empty() ? "it fails without any fault\n" : "these are left:\n");
  print_occurrences(out, shrunk.occurrences);
  if (!shrunk.whole && !broken) out << "  (no more runs were tried; fewer may do)\n";
  if (broken) return failed(context, *broken);
  const auto path = write_repro(lab, shrunk.occurrences, failure.seed);
  if (!path) return failed(context, path.error());
  out << "written: heddle lab run " << *path << "\n";
  return kFailed;
}

Result<int> search_failures(Context& context, const format::Lab& lab, const Search& search,
                            LabRuns& runs) {
  const bool human = context.format == Format::table;
  const auto [combinations, possible] = faults::single_and_pairwise(lab, search.limit);
  std::vector<std::string> names;
  for (const format::Check& check : lab.checks) {
    if (std::ranges::find(names, check.name) == names.end()) names.push_back(check.name);
  }
  std::vector<std::string> head{"FAILURE"};
  head.insert(head.end(), names.begin(), names.end());
  output::Table table(head);
  json::array all;
  std::size_t looked_at = 0;
  std::size_t borne = 0;
  for (std::size_t i = 0; i < combinations.size(); ++i) {
    const format::Lab looked = faults::without_dead_places(lab, combinations[i]);
    const auto report = runs.run_with(looked, combinations[i], search.seed);
    if (!report) return failed(context, report.error());
    std::vector<std::string> row{describe(combinations[i])};
    json::object marks;
    for (const std::string& name : names) {
      row.push_back(mark_of(name, looked, *report));
      marks[name] = row.back();
    }
    looked_at += !looked.checks.empty();
    borne += !looked.checks.empty() && report->held;
    all.push_back({{"failure", row.front()}, {"checks", std::move(marks)}, {"held", report->held}});
    if (human)
      context.out << "run " << i + 1 << " of " << combinations.size() << ": "
                  << output::printable(row.front() + ": " + scenario::format_verdict(*report))
                  << std::endl;
    table.add(std::move(row));
  }
  if (human) {
    context.out << "\n";
    table.print(context.out);
    context.out << "lab " << lab.name << ": " << borne << " of " << looked_at
                << " failures are borne\n";
    if (combinations.size() < possible)
      context.out << combinations.size() << " of " << possible
                  << " failures were tried, the single ones first; --search-limit " << possible
                  << " tries all\n";
  } else {
    const json::object out{{"lab", lab.name},
                           {"failures", std::move(all)},
                           {"tried", combinations.size()},
                           {"possible", possible}};
    context.out << json::serialize(out) << "\n";
  }
  return borne == looked_at ? kDone : kFailed;
}

}  // namespace heddle::cmd
