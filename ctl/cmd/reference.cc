#include "ctl/cmd/reference.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <sstream>

#include "ctl/cmd/program.h"

namespace heddle::cmd {
namespace {

constexpr const char* kCommonGroup = "Every command";

std::string positionals_of(const CLI::App* app) {
  std::string text;
  for (const auto* option : app->get_options()) {
    if (!option->get_positional()) continue;
    std::string word = option->get_name(true);
    if (option->get_expected_max() > 1) word += "...";
    text += option->get_required() ? " " + word : " [" + word + "]";
  }
  return text;
}

bool is_flag(const CLI::Option* option, bool common) {
  return !option->get_positional() && !option->check_name("--help") &&
         (option->get_group() == kCommonGroup) == common;
}

std::string flag_rows(const CLI::App* app, bool common) {
  std::string rows;
  for (const auto* option : app->get_options()) {
    if (!is_flag(option, common)) continue;
    const std::string type = option->get_type_name();
    rows += "| `" + option->get_name(false, true) + (type.empty() ? "" : " " + type) + "` | " +
            option->get_description() + " |\n";
  }
  return rows.empty() ? "" : "\n| flag | meaning |\n|---|---|\n" + rows;
}

// "Examples:\n..." of the help's end.
std::string examples_of(const CLI::App* app) {
  const std::string footer = app->get_footer();
  const auto newline = footer.find('\n');
  if (newline == std::string::npos) return "";
  std::istringstream lines(footer.substr(newline + 1));
  std::string text;
  for (std::string line; std::getline(lines, line);) text += line.substr(2) + "\n";
  return "\n```\n" + text + "```\n";
}

void write(std::ostringstream& out, const CLI::App* app, const std::string& path) {
  const auto subs = app->get_subcommands([](const CLI::App*) { return true; });
  if (subs.empty()) {
    const bool takes_command = app->get_footer().find(" -- ") != std::string::npos;
    out << "\n### " << path << "\n\n"
        << app->get_description() << ".\n\n`" << path << " [FLAGS]" << positionals_of(app)
        << (takes_command ? " -- COMMAND..." : "") << "`\n"
        << flag_rows(app, false) << examples_of(app);
    return;
  }
  if (app->get_parent() != nullptr) {
    out << "\n## " << path << "\n\n" << app->get_description() << ".\n";
  }
  for (const auto* sub : subs) write(out, sub, path + " " + sub->get_name());
}

}  // namespace

std::string reference() {
  std::ostringstream nothing;
  Context context(nothing, nothing);
  context.socket = client::kDefaultSocket;
  const auto program = make_program(context);
  std::ostringstream out;
  out << "# The command line\n\n"
         "Made from the program's own tables; a test compares. A network, service, node or load\n"
         "balancer is named by its name, its id, or four or more leading digits of the id; a "
         "workload\n"
         "also as `netns:PATH`, `pid:N`, `docker:NAME|ID` or `podman:NAME|ID`.\n\n"
         "Results go to standard output as tables, or as JSON with `--format json`; errors go to\n"
         "standard error as `heddle: TEXT`.\n\n"
         "| exit status | meaning |\n|---|---|\n"
         "| 0 | done |\n| 1 | failed; nothing was changed, unless the text says otherwise |\n"
         "| 2 | wrong usage |\n| 4 | skipped for a missing capability (labs) |\n"
         "| 125 | no heddled answers |\n\n"
         "`heddle exec` ends with its command's own status.\n\n"
         "Every command takes:\n";
  out << flag_rows(program->get_subcommand("version"), true);
  write(out, program.get(), "heddle");
  return out.str();
}

}  // namespace heddle::cmd
