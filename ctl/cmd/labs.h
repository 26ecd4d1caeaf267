#pragma once
#include <string>

#include "ctl/cmd/command.h"
#include "topologies/engine/control/message.h"
#include "topologies/engine/format/lab.h"
#include "topologies/engine/lab/lab.h"

// What the lab commands share.
namespace heddle::cmd {

inline constexpr Flag kLabDir{
    "--lab-dir", "DIR", "keep labs' files here, apart from the machine's own (/run/heddle/labs)"};
inline constexpr Flag kLabName{"--name", "LAB",
                               "the lab, in place of its file; may be left out if there is one"};

// A lab's own errors are about files and machines, not about the command line: printed here, so
// that a bad file is a failure and not a usage error. Gives the exit status.
int failed(Context& context, const Error& error);

void print_warnings(Context& context, const format::Lab& lab);

// Prints each thing that was done, with its time; nothing for `--format json`.
lab::OnProgress progress_to(Context& context);

// Which lab is meant: --name, else the file's, else the only one there is.
Result<plan::LabPaths> meant(const Arguments& arguments, const std::string& file);

// Errors: `not_found` when it is not deployed; `unavailable` when its heddle-labd has gone.
Result<control::LabStatus> ask_status(const plan::LabPaths& paths);

// The file of a deployed lab as it is now, which needs no environment, and what it says.
// Errors: as above.
Result<std::string> ask_saved(const plan::LabPaths& paths);
Result<format::Lab> load_deployed(const plan::LabPaths& paths);

}  // namespace heddle::cmd
