#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "ctl/cmd/context.h"

namespace CLI {
class App;
}

namespace heddle::cmd {

// One flag of a command. `value` names what it takes: "" for a switch; "CIDR..." when it may be
// given several times, once for each value.
struct Flag {
  const char* names;  // "--driver,-d"
  const char* value;
  const char* help;
};

// "--driver,-d" is `--driver` in Arguments.
std::string first_name(std::string_view names);

// What was typed, by the names in the table.
class Arguments final {
 public:
  // A positional (`NAME`) or flag (`--driver`): "" when absent. CHECKs that the table has it.
  const std::string& text(std::string_view name) const;
  const std::vector<std::string>& list(std::string_view name) const;
  // A switch is given when it is on: `--ipv6`, `--ipv6=true`.
  bool has(std::string_view name) const;
  // A switch that is on or off (`--ipv6=false`), or absent.
  std::optional<bool> choice(std::string_view name) const;

  std::vector<std::string>& slot(const std::string& name) { return values_[name]; }
  std::string& switch_slot(const std::string& name) { return switches_[name]; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> switches_;  // as typed; "" when absent
};

// One command, as a row of a table. `path` is its words, then its positionals: `NAME` must be
// there,
// `[NAME]` may, `NAME...` is one or more. A path that ends with `-- COMMAND...` takes a command
// line after `--` (Context::command). `run` reads all of its arguments before it asks the daemon:
// an `invalid` from before that is a usage error (status 2), one from after is a failure (1).
struct Command {
  const char* path;
  const char* summary;
  const char* example;  // one or more lines
  std::span<const Flag> flags;
  Result<int> (*run)(const Arguments& arguments, Context& context);
};

void add_command(CLI::App& app, Context& context, const Command& command);

// --socket, --format, --timeout: every command takes them, at its end.
void add_common_flags(CLI::App& command, Context& context);

// The sub-command of that name, made when absent. Its summary is set where not "".
CLI::App& ensure_group(CLI::App& app, const std::string& name, const std::string& summary);

// KEY=VALUE pairs. Errors: `invalid` with the flag and what is wrong.
Result<std::map<std::string, std::string>> parse_pairs(std::string_view flag,
                                                       const std::vector<std::string>& pairs);
// A number of a range. Errors: as above.
struct NumberRange {
  unsigned least;
  unsigned most;
};
Result<unsigned> parse_number(std::string_view flag, const std::string& text, NumberRange range);

}  // namespace heddle::cmd
