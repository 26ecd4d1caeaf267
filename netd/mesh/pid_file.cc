#include "netd/mesh/pid_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/unique_fd.h"
#include "common/observe/log.h"

namespace heddle::mesh {
namespace {

constexpr const char* kSuffix = ".pid";

std::string path_of(const std::string& dir, const model::Id& proxy) {
  return dir + "/" + proxy + kSuffix;
}

}  // namespace

std::string format_pid_file(const PidFile& file) {
  return std::to_string(file.process.pid) + " " + file.process.start + " " + file.place + "\n";
}

Result<PidFile> parse_pid_file(const std::string& text) {
  PidFile file;
  std::istringstream in(text);
  std::string pid;
  if (!text.ends_with('\n') || !(in >> pid >> file.process.start >> file.place))
    return fail(Errc::invalid, "not a line of PID, start time and place");
  const auto [end, error] = std::from_chars(pid.data(), pid.data() + pid.size(), file.process.pid);
  if (error != std::errc() || end != pid.data() + pid.size() || file.process.pid <= 0)
    return fail(Errc::invalid, "'" + pid + "' is no process number");
  return file;
}

Result<> write_pid_file(const std::string& dir, const model::Id& proxy, const PidFile& file) {
  const std::string path = path_of(dir, proxy);
  const std::string fresh = path + ".new";
  const std::string text = format_pid_file(file);
  UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return fail_errno(errno, "write " + fresh);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno, "write " + fresh);
  if (::rename(fresh.c_str(), path.c_str()) < 0) return fail_errno(errno, "write " + path);
  return {};
}

void remove_pid_file(const std::string& dir, const model::Id& proxy) {
  ::unlink(path_of(dir, proxy).c_str());
}

std::map<model::Id, PidFile> read_pid_files(const std::string& dir) {
  std::map<model::Id, PidFile> files;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(dir, ec)) {
    if (entry.path().extension() != kSuffix) continue;
    std::ifstream in(entry.path());
    std::ostringstream text;
    text << in.rdbuf();
    auto file = parse_pid_file(text.str());
    if (file) {
      files.emplace(entry.path().stem().string(), *std::move(file));
    } else {
      log_warn("pid_file_unreadable", {{"path", entry.path().string()}, {"error", file.error()}});
    }
  }
  return files;
}

}  // namespace heddle::mesh
