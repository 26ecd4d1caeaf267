#include "ctl/cmd/command.h"

#include <CLI/App.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <sstream>

#include "common/base/check.h"

namespace heddle::cmd {
namespace {

constexpr std::string_view kMany = "...";

bool ends_many(std::string& text) {
  if (!text.ends_with(kMany)) return false;
  text.resize(text.size() - kMany.size());
  return true;
}

void add_switch(CLI::App& leaf, std::string& slot, const Flag& flag) {
  const auto truth = [](const std::string& text) {
    const bool known = text == "true" || text == "false" || text == "1" || text == "0";
    return known ? std::string() : "'" + text + "' must be true or false";
  };
  leaf.add_flag(flag.names, slot, flag.help)
      ->check(CLI::Validator(truth, ""))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void add_flag(CLI::App& leaf, const std::shared_ptr<Arguments>& arguments, const Flag& flag) {
  std::string value = flag.value;
  if (value.empty()) {
    add_switch(leaf, arguments->switch_slot(first_name(flag.names)), flag);
    return;
  }
  auto& slot = arguments->slot(first_name(flag.names));
  const bool many = ends_many(value);
  auto* option =
      leaf.add_option(flag.names, slot, flag.help + std::string(many ? " (repeatable)" : ""));
  option->type_name(value);
  if (!many) option->expected(1);
  // Else CLI11 gives a flag the positionals that follow it, up to the next flag.
  option->allow_extra_args(false);
}

void add_positional(CLI::App& leaf, const std::shared_ptr<Arguments>& arguments, std::string word) {
  const bool optional = word.front() == '[';
  if (optional) word = word.substr(1, word.size() - 2);
  const bool many = ends_many(word);
  auto* option = leaf.add_option(word, arguments->slot(word));
  option->type_name("");
  option->required(!optional);
  if (!many) option->expected(1)->allow_extra_args(false);
}

// By two spaces, whatever the first line was indented by.
std::string indented(const std::string& lines) {
  const auto already = lines.find_first_not_of(' ');
  std::istringstream in(lines);
  std::string text;
  for (std::string line; std::getline(in, line);) {
    const auto spaces = std::min(already, line.find_first_not_of(' '));
    text += (text.empty() ? "  " : "\n  ") + line.substr(std::min(spaces, line.size()));
  }
  return text;
}

// See Command::run about `invalid`.
std::function<Result<int>()> action_of(const Command& command, std::shared_ptr<Arguments> arguments,
                                       Context& context) {
  return [run = command.run, arguments = std::move(arguments), &context]() -> Result<int> {
    auto status = run(*arguments, context);
    if (!status && status.error().code() == Errc::invalid && context.connected == nullptr) {
      context.usage_error = true;
    }
    return status;
  };
}

}  // namespace

std::string first_name(std::string_view names) {
  return std::string(names.substr(0, names.find(',')));
}

bool Arguments::has(std::string_view name) const {
  return switches_.contains(name) ? choice(name).value_or(false) : !list(name).empty();
}

std::optional<bool> Arguments::choice(std::string_view name) const {
  const auto it = switches_.find(name);
  CHECK(it != switches_.end());
  if (it->second.empty()) return std::nullopt;
  return it->second == "true" || it->second == "1";
}

const std::vector<std::string>& Arguments::list(std::string_view name) const {
  const auto it = values_.find(name);
  CHECK(it != values_.end());
  return it->second;
}

const std::string& Arguments::text(std::string_view name) const {
  static const std::string kNone;
  const auto& values = list(name);
  return values.empty() ? kNone : values.front();
}

CLI::App& ensure_group(CLI::App& app, const std::string& name, const std::string& summary) {
  for (auto* found : app.get_subcommands([&](CLI::App* sub) { return sub->get_name() == name; })) {
    if (!summary.empty()) found->description(summary);
    return *found;
  }
  auto* group = app.add_subcommand(name, summary);
  group->require_subcommand(1);
  return *group;
}

void add_common_flags(CLI::App& command, Context& context) {
  command.add_option("--socket", context.socket, "heddled's socket; also HEDDLE_SOCKET")
      ->type_name("PATH")
      ->group("Every command");
  const auto known_format = [](const std::string& format) {
    if (format == "json" || format == "table") return std::string();
    return "'" + format + "' is unknown; choose table or json";
  };
  const auto known_timeout = [](const std::string& text) {
    return parse_number("", text, {1, 86400}) ? std::string()
                                              : "'" + text + "' is not a number from 1 to 86400";
  };
  command
      .add_option_function<std::string>(
          "--format",
          [&context](const std::string& format) {
            context.format = format == "json" ? Format::json : Format::table;
          },
          "table (default) or json")
      ->type_name("FORMAT")
      ->check(CLI::Validator(known_format, ""))
      ->group("Every command");
  command.add_option("--timeout", context.timeout_seconds, "how long to wait for heddled (60)")
      ->type_name("SECONDS")
      ->check(CLI::Validator(known_timeout, ""))
      ->group("Every command");
}

void add_command(CLI::App& app, Context& context, const Command& command) {
  std::istringstream words(command.path);
  std::vector<std::string> positionals;
  CLI::App* leaf = &app;
  bool takes_command = false;
  for (std::string word; words >> word;) {
    if (word == "--") {
      takes_command = true;
      break;
    }
    const bool positional =
        word.front() == '[' || std::isupper(static_cast<unsigned char>(word[0]));
    if (positional) {
      positionals.push_back(word);
    } else {
      leaf = &ensure_group(*leaf, word, "");
    }
  }
  leaf->description(command.summary);
  leaf->require_subcommand(0);
  leaf->footer("Examples:\n" + indented(command.example));
  const auto arguments = std::make_shared<Arguments>();
  for (const auto& word : positionals) add_positional(*leaf, arguments, word);
  for (const auto& flag : command.flags) add_flag(*leaf, arguments, flag);
  add_common_flags(*leaf, context);
  leaf->callback([&context, takes_command, action = action_of(command, arguments, context)] {
    context.takes_command = takes_command;
    context.action = action;
  });
}

Result<std::map<std::string, std::string>> parse_pairs(std::string_view flag,
                                                       const std::vector<std::string>& pairs) {
  std::map<std::string, std::string> map;
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(Errc::invalid, std::string(flag) + " '" + pair + "' must be KEY=VALUE");
    }
    if (!map.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second) {
      return fail(Errc::invalid,
                  std::string(flag) + " gives '" + pair.substr(0, equals) + "' twice");
    }
  }
  return map;
}

Result<unsigned> parse_number(std::string_view flag, const std::string& text, NumberRange range) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= range.least &&
      number <= range.most) {
    return number;
  }
  return fail(Errc::invalid, std::string(flag) + " '" + text + "' must be a number from " +
                                 std::to_string(range.least) + " to " + std::to_string(range.most));
}

}  // namespace heddle::cmd
