#include "topologies/engine/steps/print.h"

#include <cstdio>
#include <ostream>

namespace heddle::steps {
namespace {

constexpr std::size_t kLinesShown = 12;
constexpr std::size_t kFailedLinesShown = 60;
constexpr std::size_t kColumnsShown = 220;

template <class Each>
void each_line(const std::string& text, Each each) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    each(text.substr(at, end - at));
    at = end + 1;
  }
}

}  // namespace

std::string printable(const std::string& line) {
  std::string out;
  for (const char c : line) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
      out += c;
    } else {
      out += c == '\t' ? ' ' : '?';
    }
  }
  if (out.size() <= kColumnsShown) return out;
  std::size_t end = kColumnsShown;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;  // whole UTF-8
  return out.substr(0, end) + "...";
}

std::string format_seconds(std::chrono::milliseconds time) {
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.2f s", static_cast<double>(time.count()) / 1000);
  return buffer.data();
}

std::string Printer::paint(const char* code, const std::string& text) const {
  return colour_ == Colour::yes ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
}

void Printer::started(const StepReport& step) {
  out_ << "\n"
       << paint("1", "[" + std::to_string(step.number) + "/" + std::to_string(step.total) + "] " +
                         printable(step.name))
       << "\n";
  const std::string prompt = step.place.empty() ? "  " : "  " + step.place + "# ";
  bool first = true;
  if (step.command == step.name && step.place.empty()) return;  // a fault that needs no name
  each_line(step.command, [&](const std::string& line) {
    out_ << (first ? prompt : std::string(prompt.size(), ' ')) << printable(line) << "\n";
    first = false;
  });
  out_.flush();
}

void Printer::print_output(const StepReport& step) {
  const std::size_t most = step.passed ? kLinesShown : kFailedLinesShown;
  std::size_t lines = 0;
  each_line(step.output, [&](const std::string& line) {
    if (++lines <= most) out_ << "  | " << printable(line) << "\n";
  });
  if (lines > most) out_ << "  | ... " << lines - most << " more lines\n";
}

void Printer::finished(const StepReport& step) {
  if (step.passed && !step.facts.empty()) {
    std::string facts;
    for (const std::string& fact : step.facts) facts += (facts.empty() ? "" : " · ") + fact;
    out_ << "  | " << printable(facts) << "\n";
  } else {
    print_output(step);
  }
  for (const std::string& problem : step.problems) {
    bool first = true;
    each_line(problem, [&](const std::string& line) {
      out_ << (first ? paint("31", "  ! ") : "    ") << printable(line) << "\n";
      first = false;
    });
  }
  const std::string time =
      format_seconds(step.time) + (step.tries > 1 ? ", at try " + std::to_string(step.tries) : "");
  out_ << (step.passed ? paint("32", "  ok") : paint("31", "  FAILED")) << "  " << time << "\n";
  out_.flush();
}

}  // namespace heddle::steps
