#pragma once
#include <string>
#include <vector>

#include "common/base/result.h"

namespace heddle::cmd {

struct Context;

// The script that a shell sources. It asks `heddle __complete WORDS...` for the words that may come
// next, so that it never lags behind the program. Errors: `invalid` for another shell.
Result<std::string> completion_script(const std::string& shell);

// What may come in place of the last of `words` (the program's name left out), one a line: commands
// and flags from the tree, names of objects from the daemon, which is given a second at most.
std::string complete(const std::vector<std::string>& words, Context& context);

}  // namespace heddle::cmd
