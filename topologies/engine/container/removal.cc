#include "topologies/engine/container/removal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "common/base/unique_fd.h"
#include "topologies/engine/container/engine.h"
#include "topologies/engine/process/parallel.h"

namespace heddle::container {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kStillMaking = 5s;  // an engine finishes what a client has asked for
constexpr auto kBetweenLooks = 50ms;

std::string file_of(const plan::LabPaths& paths, const std::string& container) {
  return paths.container_dir() + "/" + container;
}

Result<> write_file(const std::string& path, const std::string& text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "create " + path);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno ? errno : ENOSPC, "write " + path);
  return {};
}

struct Recorded {
  std::set<std::string> all;
  std::set<std::string> asked;  // of these nobody knows whether they were made
};
Recorded recorded(const plan::LabPaths& paths) {
  Recorded out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(paths.container_dir(), ec)) {
    const std::string name = entry.path().filename().string();
    out.all.insert(name);
    if (entry.file_size(ec) == 0) out.asked.insert(name);
  }
  return out;
}

Error with_what_is_left(Error error, const plan::LabPaths& paths) {
  std::string names;
  for (const std::string& name : recorded(paths).all) names += (names.empty() ? "" : ", ") + name;
  return Error(error.code(),
               error.text() + "; of lab " + paths.lab() + " may be left: " +
                   (names.empty() ? "containers with the label heddle.lab.run" : names) +
                   ". Then destroy it again (when the engine is gone for good: rm " +
                   paths.engine_file() + ")");
}

}  // namespace

Result<> record_engine(const plan::LabPaths& paths, const std::string& socket) {
  std::error_code ec;
  fs::create_directories(paths.container_dir(), ec);
  if (ec) return fail_errno(ec.value(), "make directory " + paths.container_dir());
  return write_file(paths.engine_file(), socket + "\n");
}

std::string recorded_engine(const plan::LabPaths& paths) {
  std::ifstream file(paths.engine_file());
  std::string line;
  std::getline(file, line);
  return line;
}

Result<> record_asked(const plan::LabPaths& paths, const std::string& container) {
  return write_file(file_of(paths, container), "");
}
Result<> record_made(const plan::LabPaths& paths, const std::string& container) {
  return write_file(file_of(paths, container), "made\n");
}
void forget(const plan::LabPaths& paths, const std::string& container) {
  ::unlink(file_of(paths, container).c_str());
}

Result<std::size_t> remove_all(const plan::LabPaths& paths, const OnRemoved& on_removed) {
  const std::string socket = recorded_engine(paths);
  if (socket.empty()) return 0;
  Engine engine(socket);
  std::set<std::string> asked = recorded(paths).asked;
  const Deadline patience = after(kStillMaking);
  std::size_t removed = 0;
  for (;;) {
    auto there = engine.list(paths.run_dir());
    if (!there) return std::unexpected(with_what_is_left(std::move(there).error(), paths));
    std::mutex counting;
    const std::size_t total = removed + there->size();
    auto done = process::in_parallel(there->size(), [&](std::size_t i) -> Result<> {
      TRY_DO(engine.remove((*there)[i].id));
      const std::lock_guard lock(counting);
      asked.erase((*there)[i].name);
      on_removed(++removed, total, (*there)[i].name);
      return {};
    });
    if (!done) return std::unexpected(with_what_is_left(std::move(done).error(), paths));
    const bool waits = !asked.empty() && std::chrono::steady_clock::now() < patience;
    if (there->empty() && !waits) return removed;
    if (there->empty()) std::this_thread::sleep_for(kBetweenLooks);
  }
}

}  // namespace heddle::container
