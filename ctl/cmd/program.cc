#include "ctl/cmd/program.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <ostream>

#include "common/base/nearest.h"
#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/completion.h"

namespace heddle::cmd {
namespace {

// The deepest sub-command that was understood.
const CLI::App* reached(const CLI::App* app) {
  for (;;) {
    const auto parsed = app->get_subcommands();
    if (parsed.empty()) return app;
    app = parsed.back();
  }
}

std::string full_name(const CLI::App* app) {
  if (app->get_parent() == nullptr) return app->get_name();
  return full_name(app->get_parent()) + " " + app->get_name();
}

std::vector<std::string> flags_of(const CLI::App* app) {
  std::vector<std::string> names;
  for (const auto* option : app->get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> commands_of(const CLI::App* app) {
  std::vector<std::string> names;
  for (const auto* sub : app->get_subcommands([](const CLI::App*) { return true; })) {
    if (!sub->get_name().empty()) names.push_back(sub->get_name());
  }
  return names;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& candidates) {
  const std::vector<std::string_view> views(candidates.begin(), candidates.end());
  const auto near = nearest(word, views);
  return near ? "; did you mean '" + std::string(*near) + "'?" : "";
}

// `NAME is required`, `--driver: At Most 1 required but received 2`, `--driver: 1 required NAME
// missing`, as CLI11 2.1 says them; another text is passed on as it is.
std::string in_our_words(const std::string& text) {
  const auto subject = text.substr(0, text.find_first_of(": "));
  if (text.ends_with(" is required")) return subject + " is missing";
  if (const auto got = text.find(" required but received "); got != std::string::npos) {
    return subject + " takes one value; " + text.substr(text.rfind(' ') + 1) + " were given";
  }
  constexpr std::string_view kNeeds = ": 1 required ";
  if (const auto needs = text.find(kNeeds);
      needs != std::string::npos && text.ends_with(" missing")) {
    const auto start = needs + kNeeds.size();
    return subject + " needs " + text.substr(start, text.size() - 8 - start);
  }
  return text;
}

// Our own words for what CLI11 found: it names all left-over arguments, we name the first one.
std::string explain(const CLI::App* at, const CLI::ParseError& error) {
  const auto left = at->remaining(true);
  const auto extra = std::ranges::find_if(left, [](const auto& word) { return word != "--"; });
  const auto commands = commands_of(at);
  if (extra != left.end()) {
    if (extra->starts_with("-")) {
      const std::string flag = extra->substr(0, extra->find('='));
      return "unknown flag '" + flag + "'" + suggestion(flag, flags_of(at));
    }
    if (!commands.empty()) {
      return "unknown command '" + *extra + "'" + suggestion(*extra, commands);
    }
    return "unexpected argument '" + *extra + "'";
  }
  if (!commands.empty() && error.get_name() == "RequiredError") {
    std::string list;
    for (const auto& name : commands) list += (list.empty() ? "" : ", ") + name;
    return "'" + full_name(at) + "' needs a command: " + list;
  }
  return in_our_words(error.what());
}

int usage(Context& context, const CLI::App* at, const std::string& text) {
  context.err << "heddle: " << text << "\nSee '" << full_name(at) << " --help'.\n";
  return kUsage;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xc2 ? 9
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf5 ? 3
                                           : 9;
    if (more == 9 || i + more >= text.size()) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    // Overlong forms, surrogates and what is past U+10FFFF (RFC 3629, section 4).
    const auto second = more > 0 ? static_cast<unsigned char>(text[i + 1]) : 0x80;
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

int perform(Context& context, const CLI::App* at) {
  const auto status = context.action();
  context.out.flush();
  if (status) return *status;
  const Error& error = status.error();
  if (context.usage_error) return usage(context, at, error.text());
  context.err << "heddle: " << error.text() << "\n";
  return client::is_unreachable(error) ? kUnreachable : kFailed;
}

}  // namespace

std::unique_ptr<CLI::App, void (*)(CLI::App*)> make_program(Context& context) {
  std::unique_ptr<CLI::App, void (*)(CLI::App*)> app(
      new CLI::App("Container networks, services and load balancing, on one host or many.",
                   "heddle"),
      [](CLI::App* made) { delete made; });
  app->require_subcommand(1);
  app->set_version_flag("--version", "heddle " HEDDLE_VERSION);
  app->footer(
      "Start with:\n"
      "  heddle network create app\n"
      "  heddle run --network app --service web --port 8080 -- nginx\n"
      "  heddle service ls\n"
      "Exit status: 0 done, 1 failed, 2 wrong usage, 4 skipped for a missing capability,\n"
      "125 no heddled answers.");
  register_network(*app, context);
  register_port(*app, context);
  register_workload(*app, context);
  register_service(*app, context);
  register_swarm(*app, context);
  register_node(*app, context);
  register_sidecar(*app, context);
  register_lb(*app, context);
  register_lab(*app, context);
  register_lab_link(*app, context);
  register_lab_graph(*app, context);
  register_lab_generate(*app, context);
  register_lab_capture(*app, context);
  register_lab_events(*app, context);
  register_lab_save(*app, context);
  register_system(*app, context);
  register_flows(*app, context);
  return app;
}

int run_program(const std::vector<std::string>& line, Context& context) {
  if (!line.empty() && line.front() == "__complete") {  // what the completion scripts ask
    context.out << complete({line.begin() + 1, line.end()}, context);
    return kDone;
  }
  const auto app = make_program(context);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (!is_utf8(line[i])) {
      return usage(context, app.get(), "argument " + std::to_string(i + 1) + " is not UTF-8 text");
    }
  }
  const auto dashes = std::ranges::find(line, "--");
  if (dashes != line.end()) context.command.assign(dashes + 1, line.end());
  std::vector<std::string> reversed(std::make_reverse_iterator(dashes), line.rend());
  try {
    app->parse(std::move(reversed));
  } catch (const CLI::Success& help_or_version) {
    return app->exit(help_or_version, context.out, context.err);
  } catch (const CLI::ParseError& error) {
    const CLI::App* at = reached(app.get());
    return usage(context, at, explain(at, error));
  }
  const CLI::App* at = reached(app.get());
  if (!context.action) return usage(context, at, "nothing to do");
  if (context.takes_command && context.command.empty()) {
    return usage(context, at, "give the command after `--`: " + full_name(at) + " ... -- COMMAND");
  }
  if (!context.takes_command && dashes != line.end()) {
    return usage(context, at, "'" + full_name(at) + "' takes no command after `--`");
  }
  return perform(context, at);
}

}  // namespace heddle::cmd
