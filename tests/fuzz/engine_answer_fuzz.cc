// link: heddle_netd_engine
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "common/engine/api.h"
#include "netd/engine/answer.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

namespace {

bool is_id(const std::string& id) {
  return id.size() == 64 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

// What a container engine answers, or whoever listens on its socket. Whatever it is: refused, or
// read as something whose parts can stand where they are used: ids and times in the path of the
// next request, names in file names and messages, pids in /proc.
HEDDLE_FUZZ_TARGET(engine_answer, data, size) {
  using namespace heddle;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto container = engine::parse_container(text)) {
    HEDDLE_DEFECT("a container's name is a path", container->name = "../" + container->name);
    CHECK(is_id(container->id));
    CHECK(engine::is_reference(container->name));
    CHECK(container->running == (container->pid > 0) && container->pid <= 1 << 22);
    CHECK(container->stop_signal >= 1 && container->stop_signal <= 64);
    CHECK(container->stop_timeout.count() >= 0 && container->stop_timeout.count() <= 3600);
    CHECK(std::ranges::none_of(container->network_mode, [](char c) { return c < ' '; }));
  } else {
    CHECK(container.error().code() == Errc::internal);
  }
  if (const auto all = engine::parse_list(text)) {
    for (const auto& listed : *all) {
      CHECK(is_id(listed.id));
      CHECK(listed.name.empty() || engine::is_reference(listed.name));
    }
  }
  if (const auto event = engine::parse_event(text); event && *event) {
    CHECK(is_id((*event)->container));
    CHECK((*event)->signal >= 0 && (*event)->signal <= 64);
    CHECK((*event)->time.find_first_not_of("0123456789.") == std::string::npos);
  }
  const std::string message = engine::parse_message(text);
  CHECK(message.size() <= 300 && message.find('\n') == std::string::npos);
  if (const auto version = engine::parse_version(text)) {
    CHECK(engine::parse_version(version->format()) == version);
  }
  (void)engine::parse_signal(text);
  return 0;
}
