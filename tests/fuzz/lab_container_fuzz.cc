// link: heddle_topologies_engine_container
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"
#include "topologies/engine/container/answer.h"

namespace {

bool is_whole_id(const std::string& id) {
  return id.size() == 64 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

// What an engine answers about a lab's containers. Whatever it is: refused, or read as something
// whose parts can stand where they are used: ids in the path of the next request, pids in /proc,
// variables and a directory in execve.
HEDDLE_FUZZ_TARGET(lab_container, data, size) {
  using namespace heddle;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto state = container::parse_state(text)) {
    HEDDLE_DEFECT("a process of no container", state->pid = -1);
    CHECK(is_whole_id(state->id));
    CHECK(state->running == (state->pid > 0) && state->pid <= 1 << 22);
    CHECK(state->exit_status >= 0 && state->exit_status <= 255);
    CHECK(state->directory.starts_with("/") && state->directory.find('\0') == std::string::npos);
    for (const auto& [key, value] : state->env) {
      CHECK(!key.empty() && key.find('=') == std::string::npos);
      CHECK((key + value).find('\0') == std::string::npos);
    }
  } else {
    CHECK(state.error().code() == Errc::internal);
  }
  if (const auto created = container::parse_created(text)) {
    CHECK(is_whole_id(created->id));
    CHECK(created->warnings.size() <= 16);
    for (const std::string& warning : created->warnings)
      CHECK(warning.find('\n') == std::string::npos);
  }
  if (const auto all = container::parse_list(text)) {
    for (const auto& listed : *all) CHECK(is_whole_id(listed.id));
  }
  if (const auto why = container::parse_pull_error(text)) {
    CHECK(why->size() <= 300 && why->find('\n') == std::string::npos);
  }
  return 0;
}
