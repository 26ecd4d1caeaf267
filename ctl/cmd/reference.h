#pragma once
#include <string>

namespace heddle::cmd {

// docs/cli.md: every command with its flags and examples, made from the tree. A unit test compares.
std::string reference();

}  // namespace heddle::cmd
