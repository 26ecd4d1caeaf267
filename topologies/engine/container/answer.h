#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

// What engines answer about a lab's containers, read. Pure; the bytes are anybody's.
// Source: Docker Engine API v1.24 to v1.52.
// Errors: `internal`, naming what is not as it should be.
namespace heddle::container {

struct State {
  std::string id;  // 64 hexadecimal digits
  bool running = false;
  bool paused = false;
  std::int64_t pid = 0;  // of its first process, while it runs
  int exit_status = 0;
  std::map<std::string, std::string> env;
  std::string directory = "/";  // where its commands begin
  std::string owner;            // the label kRunLabel; empty: none
};
Result<State> parse_state(std::string_view json);

struct Created {
  std::string id;
  std::vector<std::string> warnings;
};
Result<Created> parse_created(std::string_view json);

struct Listed {
  std::string id;
  std::string name;
};
Result<std::vector<Listed>> parse_list(std::string_view json);

// Of the lines that tell of a pull: why it failed; nothing when it did not.
std::optional<std::string> parse_pull_error(std::string_view lines);

}  // namespace heddle::container
