#pragma once
#include <string>
#include <vector>

namespace heddle::cmd {

// Which deployed lab a half-typed command line is about.
struct LabTyped {
  std::string lab_dir;  // --lab-dir
  std::string name;     // --name; empty: the only one
};

// What may stand for LAB, NODE (of a lab) or LINK; nothing where it cannot be told.
std::vector<std::string> lab_words(const std::string& type, const LabTyped& typed);

}  // namespace heddle::cmd
