#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>

#include "common/base/unique_fd.h"
#include "topologies/engine/container/removal.h"
#include "topologies/engine/lab/lab.h"
#include "topologies/engine/lab/root.h"
#include "topologies/engine/process/cgroup.h"
#include "topologies/engine/process/mounts.h"

namespace heddle::lab {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

bool exists(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// After the last lab: the directory, and its parent when that was made with it and is empty again.
void remove_root(const std::string& root) {
  const std::string marker = root + "/" + kMadeParent;
  std::error_code ec;
  int others = 0;
  for (const auto& entry : fs::directory_iterator(root, ec)) others += entry.path() != marker;
  if (others > 0) return;
  const bool made_parent = ::unlink(marker.c_str()) == 0;
  if (::rmdir(root.c_str()) == 0 && made_parent) ::rmdir(fs::path(root).parent_path().c_str());
}

// Runs the parts of a teardown; a failed one does not stop the next.
class Teardown {
 public:
  explicit Teardown(const OnProgress& on_progress) : on_progress_(on_progress) {}

  template <class Work>
  void part(const std::string& did, Work work) {
    const auto start = std::chrono::steady_clock::now();
    Result<> done = work();
    if (!done) {
      if (!first_) first_ = std::move(done).error();
      return;
    }
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    on_progress_({.did = did, .time = time, .ready = false, .error = std::nullopt});
  }
  Result<> result() {
    if (first_) return std::unexpected(*std::move(first_));
    return {};
  }

 private:
  const OnProgress& on_progress_;
  std::optional<Error> first_;
};

}  // namespace

Result<> destroy(const plan::LabPaths& paths, const OnProgress& on_progress) {
  if (!exists(paths.run_dir()) && !exists(paths.state_dir()) && !exists(paths.cgroup()))
    return need_deployed(paths);
  if (::geteuid() != 0) return fail(Errc::denied, "taking a lab down needs root (sudo)");
  // Two at once would trip over each other's half-removed trees.
  UniqueFd lock(::open(paths.roots().run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock && ::flock(lock.get(), LOCK_EX) < 0)
    return fail_errno(errno, "lock " + paths.roots().run);

  Teardown teardown(on_progress);
  teardown.part("ended every process",
                [&] { return process::kill_cgroup(paths.cgroup(), after(10s)); });
  bool contained = true;
  if (!container::recorded_engine(paths).empty())
    teardown.part("removed its containers", [&]() -> Result<> {
      const auto removed = container::remove_all(
          paths, [&](std::size_t done, std::size_t total, const std::string& name) {
            on_progress({.did = name,
                         .time = {},
                         .ready = false,
                         .error = std::nullopt,
                         .done = done,
                         .total = total});
          });
      contained = removed.has_value();
      if (removed) return {};
      return std::unexpected(removed.error());
    });
  teardown.part("unmounted namespaces and BPF file systems; their links went with them",
                [&] { return process::unmount_below(paths.run_dir()); });
  teardown.part("removed the cgroup", [&] { return process::remove_cgroup(paths.cgroup()); });
  // Where the containers are stands in there: without it nobody would find them again.
  if (!contained) return teardown.result();
  teardown.part("removed " + paths.state_dir(), [&]() -> Result<> {
    TRY_DO(process::unmount_below(paths.state_dir()));
    return process::remove_tree(paths.state_dir());
  });
  // Last: while it stands, the lab is listed and can be destroyed again.
  teardown.part("removed " + paths.run_dir(),
                [&] { return process::remove_tree(paths.run_dir()); });
  remove_root(paths.roots().run);
  remove_root(paths.roots().state);
  return teardown.result();
}

Result<std::vector<Entry>> list(const std::string& lab_dir) {
  TRY(const plan::LabPaths any, locate("any", lab_dir));
  std::vector<Entry> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(any.roots().run, ec)) {
    if (!entry.is_directory(ec)) continue;
    const std::string name = first_line(entry.path().string() + "/name");
    // Without a name: killed while it was claimed. Its directory's name serves.
    auto paths = locate(name.empty() ? entry.path().filename().string() : name, lab_dir);
    if (!paths) continue;
    out.push_back(
        {.name = paths->lab(), .file = "", .alive = control::Client(paths->socket()).answers()});
  }
  std::ranges::sort(out, {}, &Entry::name);
  return out;
}

Result<> need_deployed(const plan::LabPaths& paths) {
  if (exists(paths.run_dir())) return {};
  std::string others;
  const std::string& run = paths.roots().run;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(run, ec)) {
    if (!entry.is_directory(ec)) continue;
    const std::string name = first_line(entry.path().string() + "/name");
    others +=
        (others.empty() ? "" : ", ") + (name.empty() ? entry.path().filename().string() : name);
  }
  return fail(Errc::not_found, "no lab " + paths.lab() + " is deployed" +
                                   (others.empty() ? "; none is" : "; these are: " + others));
}

}  // namespace heddle::lab
