#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "common/base/unique_fd.h"
#include "netd/runtime/launch.h"
#include "netd/runtime/runtime.h"

namespace heddle::runtime {
namespace {

// proc(5), /proc/pid/stat: field 3 follows the command's last ')', starttime is field 22.
constexpr int kStateField = 3;
constexpr int kStartField = 22;

enum class Zombies { counted, left_out };

Result<ProcessId> read_stat(std::int64_t pid, Zombies zombies) {
  const std::string absent = "no process " + std::to_string(pid);
  if (pid <= 0) return fail(Errc::not_found, absent);
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(Errc::not_found, absent);
  char buffer[1024];
  const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
  if (n <= 0) return fail(Errc::not_found, absent);  // ESRCH: it ended meanwhile
  std::string_view text(buffer, static_cast<std::size_t>(n));
  const auto end = text.rfind(')');
  if (end == std::string_view::npos) return fail(Errc::internal, path + " is unreadable");
  text.remove_prefix(std::min(end + 2, text.size()));
  for (int field = kStateField; field < kStartField; ++field) {
    const bool over = text.starts_with('Z') || text.starts_with('X');
    if (field == kStateField && over && zombies == Zombies::left_out)
      return fail(Errc::not_found, absent);
    const auto space = text.find(' ');
    if (space == std::string_view::npos) return fail(Errc::internal, path + " is too short");
    text.remove_prefix(space + 1);
  }
  return ProcessId{pid, std::string(text.substr(0, text.find(' ')))};
}

}  // namespace

Result<ProcessId> identify(std::int64_t pid) {
  return read_stat(pid, Zombies::left_out);
}

Result<ProcessId> identify_child(std::int64_t pid) {
  return read_stat(pid, Zombies::counted);
}

}  // namespace heddle::runtime
