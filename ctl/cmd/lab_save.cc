#include <ostream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/files.h"
#include "ctl/cmd/labs.h"

namespace heddle::cmd {
namespace lab_save {
namespace {

constexpr Flag kFlags[] = {
    {"--output,-o", "FILE", "write it here, not to standard output"}, kLabName, kLabDir};

Result<int> run(const Arguments& arguments, Context& context) {
  const auto paths = meant(arguments, arguments.text("FILE"));
  if (!paths) return failed(context, paths.error());
  const auto text = ask_saved(*paths);
  if (!text) return failed(context, text.error());
  const auto written = write_result(context, arguments.text("--output"), *text);
  return written ? kDone : failed(context, written.error());
}

constexpr Command kCommand{
    .path = "lab save [FILE]",
    .summary =
        "Write a deployed lab as a file that gives it again: variables replaced, and "
        "impairments as they are now",
    .example = "  heddle lab save --name demo -o demo-now.lab.yml",
    .flags = kFlags,
    .run = run};

}  // namespace
}  // namespace lab_save

void register_lab_save(CLI::App& app, Context& context) {
  add_command(app, context, lab_save::kCommand);
}

}  // namespace heddle::cmd
