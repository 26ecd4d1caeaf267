#pragma once
#include <map>
#include <string>

#include "netd/model/ids.h"
#include "netd/runtime/runtime.h"

namespace heddle::mesh {

// What a later daemon must know of a running proxy: `<dir>/<proxy id>.pid`.
struct PidFile {
  runtime::ProcessId process;
  std::string place;  // SocketSet::place() that it was started with
  friend bool operator==(const PidFile&, const PidFile&) = default;
};

std::string format_pid_file(const PidFile& file);
// Errors: `invalid`: half a file, or another program's.
Result<PidFile> parse_pid_file(const std::string& text);

// Replaces whole (rename(2)). Errors: those of the file system.
Result<> write_pid_file(const std::string& dir, const model::Id& proxy, const PidFile& file);
void remove_pid_file(const std::string& dir, const model::Id& proxy);

// All of a directory; malformed ones are logged and left out.
std::map<model::Id, PidFile> read_pid_files(const std::string& dir);

}  // namespace heddle::mesh
