#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ctl/cmd/context.h"

namespace CLI {
class App;
}

namespace heddle::cmd {

// The whole tree of commands.
std::unique_ptr<CLI::App, void (*)(CLI::App*)> make_program(Context& context);

// Understands and runs one command line (without the program's own name). Gives the exit status.
int run_program(const std::vector<std::string>& line, Context& context);

}  // namespace heddle::cmd
