#include "common/base/clock.h"

#include <cstdlib>
#include <fstream>

namespace heddle {

SystemClock::SystemClock() {
  const char* file = std::getenv("HEDDLE_CLOCK_OFFSET_FILE");
  if (file) offset_file_ = file;
}

std::chrono::system_clock::time_point SystemClock::wall() const {
  const auto now = std::chrono::system_clock::now();
  if (offset_file_.empty()) return now;
  std::int64_t offset_ms = 0;
  std::ifstream(offset_file_) >> offset_ms;
  return now + std::chrono::milliseconds(offset_ms);
}

}  // namespace heddle
