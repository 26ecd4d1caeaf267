#include "topologies/engine/scenario/report.h"

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>
#include <sstream>

namespace heddle::scenario {
namespace {

namespace json = boost::json;
using checks::format_time;

constexpr std::size_t kMaxShownEntries = 200;

bool is_bad(Entry::What what) {
  return what == Entry::What::broke || what == Entry::What::problem;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

// One line of the whole run's timeline.
struct Line {
  Milliseconds at{0};
  std::string text;
};

std::vector<Line> lines_of(const Report& report) {
  std::vector<Line> out;
  for (const steps::StepReport& step : report.steps.steps)
    out.push_back({step.at, std::string(step.passed ? "step   " : "step ! ") + step.name});
  const Milliseconds began = report.began.value_or(Milliseconds{0});
  for (const Entry& entry : report.entries) {
    const bool of_check = entry.what == Entry::What::broke ||
                          entry.what == Entry::What::recovered || entry.what == Entry::What::held;
    std::string kind = of_check ? "check " : "fault ";
    if (entry.what == Entry::What::began || entry.what == Entry::What::ended) kind = "time  ";
    std::string text = entry.text;
    if (entry.what == Entry::What::passed_over) text = "passed over: " + text;
    out.push_back({began + entry.at, kind + (is_bad(entry.what) ? "! " : "  ") + text});
  }
  std::ranges::stable_sort(out, {}, &Line::at);
  return out;
}

void add_timeline(const Report& report, std::string& out) {
  if (!report.began) return;
  out += "timeline of the run\n";
  const auto lines = lines_of(report);
  for (std::size_t i = 0; i < std::min(lines.size(), kMaxShownEntries); ++i)
    out +=
        "  " + padded(format_time(lines[i].at), 10) + "  " + steps::printable(lines[i].text) + "\n";
  if (lines.size() > kMaxShownEntries)
    out += "  ... and " + std::to_string(lines.size() - kMaxShownEntries) + " more\n";
}

void add_checks(const Report& report, std::string& out) {
  if (report.checks.empty()) return;
  out += "checks\n";
  for (const CheckReport& check : report.checks) {
    out += std::string(check.verdict.passed ? "  ok      " : "  FAILED  ") +
           steps::printable(check.name + " (" + check.place + ") " + check.when + ": " +
                            check.verdict.text) +
           "\n";
    if (check.verdict.passed || check.verdict.outages.size() < 2) continue;
    for (const checks::Outage& outage : check.verdict.outages)
      out += "          " + format_time(outage.from) + " to " + format_time(outage.to) + ", " +
             std::to_string(outage.looks) + (outage.looks == 1 ? " look: " : " looks: ") +
             steps::printable(outage.problem) + "\n";
  }
}

json::array array_of(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

json::array steps_of(const Report& report) {
  json::array out;
  for (const steps::StepReport& step : report.steps.steps) {
    out.push_back({{"number", step.number},
                   {"name", step.name},
                   {"on", step.fault.empty() ? step.place : step.hit},
                   {"fault", step.fault},
                   {"command", step.command},
                   {"passed", step.passed},
                   {"problems", array_of(step.problems)},
                   {"at_ms", step.at.count()},
                   {"time_ms", step.time.count()},
                   {"tries", step.tries},
                   {"exit", step.exit},
                   {"output", step.output}});
  }
  return out;
}

json::array checks_of(const Report& report) {
  json::array out;
  for (const CheckReport& check : report.checks) {
    json::array outages;
    for (const checks::Outage& outage : check.verdict.outages)
      outages.push_back({{"from_ms", outage.from.count()},
                         {"to_ms", outage.to.count()},
                         {"looks", outage.looks},
                         {"problem", outage.problem}});
    out.push_back({{"name", check.name},
                   {"on", check.place},
                   {"when", check.when},
                   {"passed", check.verdict.passed},
                   {"text", check.verdict.text},
                   {"looks", check.verdict.looks},
                   {"broken", check.verdict.broken},
                   {"outages", std::move(outages)}});
  }
  return out;
}

json::array entries_of(const Report& report) {
  json::array out;
  for (const Entry& entry : report.entries) {
    json::object object{{"at_ms", entry.at.count()},
                        {"what", std::string(name_of(entry.what))},
                        {"text", entry.text}};
    if (!entry.on.empty()) object["on"] = array_of(entry.on);
    if (!entry.fault.empty()) object["fault"] = entry.fault;
    out.push_back(std::move(object));
  }
  return out;
}

// Bytes of the UTF-8 character that begins there; 0 when none does (RFC 3629; overlong forms and
// surrogates are left to the reader).
std::size_t character_at(const std::string& text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const std::size_t size = byte < 0x80   ? 1
                           : byte < 0xc2 ? 0
                           : byte < 0xe0 ? 2
                           : byte < 0xf0 ? 3
                           : byte < 0xf5 ? 4
                                         : 0;
  if (size == 0 || at + size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return 0;
  }
  return size;
}

// Text of an XML document (XML 1.0, section 2.2): what it cannot hold becomes `?`. What commands
// print is bytes.
std::string xml(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const std::size_t size = character_at(text, at);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (size == 0 ||
               (size == 1 && static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')) {
      out += '?';
    } else {
      out += text.substr(at, size);
    }
    at += std::max<std::size_t>(1, size);
  }
  return out;
}

std::string seconds(Milliseconds time) {
  std::string text = format_time(time);
  return text.substr(0, text.size() - 2);
}

struct Case {
  std::string kind;
  std::string name;
  Milliseconds time{0};
  std::string failure;  // empty: it passed
  std::string details;
};

std::vector<Case> cases_of(const Report& report) {
  std::vector<Case> out;
  for (const steps::StepReport& step : report.steps.steps) {
    std::string problems;
    for (const std::string& problem : step.problems) problems += problem + "\n";
    out.push_back({.kind = "steps",
                   .name = step.name,
                   .time = step.time,
                   .failure = step.passed             ? ""
                              : step.problems.empty() ? "failed"
                                                      : step.problems.front(),
                   .details = step.passed ? "" : problems + step.output});
  }
  for (const CheckReport& check : report.checks)
    out.push_back({.kind = "checks",
                   .name = check.name + " (" + check.place + ")",
                   .time = report.lasted,
                   .failure = check.verdict.passed ? "" : check.verdict.text,
                   .details = check.when});
  for (const std::string& problem : report.problems)
    out.push_back({.kind = "faults",
                   .name = "faults are made",
                   .time = {},
                   .failure = problem,
                   .details = ""});
  for (const std::string& broken : report.fidelity.broken)
    out.push_back({.kind = "fidelity",
                   .name = "the run is valid",
                   .time = {},
                   .failure = "invalid: " + broken,
                   .details = ""});
  return out;
}

}  // namespace

void Printer::started(const steps::StepReport& step) {
  const std::lock_guard lock(mutex_);
  steps_.started(step);
}

void Printer::finished(const steps::StepReport& step) {
  const std::lock_guard lock(mutex_);
  steps_.finished(step);
}

void Printer::happened(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  const std::string text = steps::printable(
      entry.what == Entry::What::passed_over ? "passed over: " + entry.text : entry.text);
  const bool bad = is_bad(entry.what);
  const bool colour = colour_ == steps::Printer::Colour::yes;
  out_ << (entry.what == Entry::What::began ? "\n" : "") << "  +" << format_time(entry.at)
       << (bad && colour ? "  \x1b[31m!\x1b[0m "
           : bad         ? "  ! "
                         : "    ")
       << text << "\n";
  out_.flush();
}

std::string format_verdict(const Report& report) {
  if (report.skipped()) return "skipped: " + report.missing.front();
  if (!report.held) {
    for (const CheckReport& check : report.checks) {
      if (!check.verdict.passed)
        return "check " + check.name + " (" + check.place + ") failed: " + check.verdict.text;
    }
    if (!report.problems.empty()) return "a fault could not be made: " + report.problems.front();
    if (report.steps.steps.empty()) return "failed";
    const steps::StepReport& step = report.steps.steps.back();
    return "step " + std::to_string(step.number) + " of " + std::to_string(report.steps.total) +
           " failed, \"" + step.name + "\"";
  }
  if (!report.valid()) return "invalid: " + report.fidelity.broken.front();
  const std::string steps = std::to_string(report.steps.steps.size()) + " steps";
  const std::string checks = std::to_string(report.checks.size()) + " checks";
  if (report.checks.empty()) return "all " + steps + " held";
  return report.steps.steps.empty() ? "all " + checks + " held"
                                    : "all " + steps + " and " + checks + " held";
}

std::string format_result(const Report& report) {
  std::string out;
  add_timeline(report, out);
  add_checks(report, out);
  if (report.began) {
    const auto error = std::chrono::duration_cast<Milliseconds>(report.fidelity.worst_delay_error);
    out +=
        "fidelity: the longest wait for a CPU was " + format_time(report.fidelity.worst_stall) +
        (error.count() > 0 ? ", packets were delayed by " + format_time(error) + " too long" : "") +
        "\n";
    for (const std::string& broken : report.fidelity.broken) out += "  INVALID  " + broken + "\n";
  }
  return out + "lab " + report.lab + ": " + steps::printable(format_verdict(report)) +
         (report.held && report.valid() ? ", in " : ", after ") +
         steps::format_seconds(report.time) + "\n";
}

std::string format_json(const Report& report) {
  json::object out{{"lab", report.lab},
                   {"passed", report.passed()},
                   {"held", report.held},
                   {"valid", report.valid()},
                   {"skipped", report.skipped()},
                   {"verdict", format_verdict(report)},
                   {"seed", report.seed},
                   {"steps_total", report.steps.total},
                   {"time_ms", report.time.count()},
                   {"steps", steps_of(report)}};
  if (report.began) {
    out["timeline"] = json::object{{"began_ms", report.began->count()},
                                   {"lasted_ms", report.lasted.count()},
                                   {"entries", entries_of(report)}};
  }
  out["checks"] = checks_of(report);
  out["problems"] = array_of(report.problems);
  out["fidelity"] =
      json::object{{"worst_stall_ms", report.fidelity.worst_stall.count()},
                   {"worst_delay_error_us", report.fidelity.worst_delay_error.count()},
                   {"broken", array_of(report.fidelity.broken)}};
  return json::serialize(out) + "\n";
}

std::string format_junit(const Report& report) {
  const auto cases = cases_of(report);
  const auto failures =
      std::ranges::count_if(cases, [](const Case& of) { return !of.failure.empty(); });
  std::ostringstream out;
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\""
      << xml(report.lab) << "\" tests=\"" << cases.size() << "\" failures=\"" << failures
      << "\" time=\"" << seconds(report.time) << "\">\n<properties><property name=\"seed\" value=\""
      << report.seed << "\"/></properties>\n";
  for (const Case& of : cases) {
    out << "<testcase classname=\"" << xml(report.lab + "." + of.kind) << "\" name=\""
        << xml(of.name) << "\" time=\"" << seconds(of.time) << "\"";
    if (of.failure.empty()) {
      out << "/>\n";
    } else {
      out << "><failure message=\"" << xml(of.failure) << "\">" << xml(of.details)
          << "</failure></testcase>\n";
    }
  }
  out << "</testsuite>\n</testsuites>\n";
  return out.str();
}

}  // namespace heddle::scenario
