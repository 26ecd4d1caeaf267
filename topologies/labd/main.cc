// heddle-labd: builds one lab, then is the parent of its processes until the lab is destroyed.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <optional>

#include "common/observe/log.h"
#include "topologies/engine/control/channel.h"
#include "topologies/engine/lab/lab.h"
#include "topologies/labd/service.h"

namespace {

using namespace heddle;

struct Options {
  std::string name;
  std::string file;
  std::string directory;
  std::string lab_dir;
  std::optional<std::uint64_t> seed;
};

void tell(const control::Progress& progress) {
  const std::string line = control::encode(progress) + "\n";
  // Nobody reads any more once `heddle lab` was killed; the lab is built all the same.
  [[maybe_unused]] const ssize_t sent = ::write(STDOUT_FILENO, line.data(), line.size());
}

std::string program_directory() {
  std::error_code ec;
  return std::filesystem::read_symlink("/proc/self/exe", ec).parent_path().string();
}

// A node on which something runs costs two descriptors; what it runs gets the limit that we had.
rlim_t raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? before : 0;
}

Result<> run(const Options& options) {
  TRY(const plan::LabPaths paths, lab::locate(options.name, options.lab_dir));
  TRY(format::Lab lab, format::load_lab(paths.lab_file(), options.directory));
  lab.file = options.file;  // where the user has it
  if (options.seed) lab.seed = options.seed;
  TRY(plan::Plan plan, plan::plan_lab(lab, paths));
  labd::Service service(
      std::move(lab), std::move(plan),
      {.program_dir = program_directory(),
       .open_files = raise_open_files(),
       .on_advance = [](std::size_t done, std::size_t total, const std::string& member) {
         tell({.did = member,
               .time = {},
               .ready = false,
               .error = std::nullopt,
               .done = done,
               .total = total});
       }});
  TRY_DO(service.build([](std::string did, std::chrono::milliseconds time) {
    tell({.did = std::move(did), .time = time, .ready = false, .error = std::nullopt});
  }));
  TRY(const auto server,
      control::Server::listen(
          paths.socket(), [&](const control::Request& request, const control::Server::Gone& gone) {
            return service.handle(request, gone);
          }));
  tell({.did = "", .time = {}, .ready = true, .error = std::nullopt});
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(null, STDOUT_FILENO);
  log_info("lab.ready", {{"lab", paths.lab()}});
  server->run();
  return fail(Errc::internal, "the control socket closed");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Parent of one lab's processes; started by `heddle lab deploy`"};
  Options options;
  app.add_option("--name", options.name, "the lab's name")->required();
  app.add_option("--file", options.file, "the lab file as the user named it")->required();
  app.add_option("--directory", options.directory, "where steps run")->required();
  app.add_option("--lab-dir", options.lab_dir, "directory for run and state files");
  app.add_option("--seed", options.seed, "of what is left to chance, in place of the file's");
  CLI11_PARSE(app, argc, argv);
  ::signal(SIGPIPE, SIG_IGN);
  if (auto logging = start_logging("heddle-labd", "info"); !logging) return 1;
  auto done = run(options);
  if (done) return 0;
  log_error("lab.failed", {{"error", done.error()}});
  tell({.did = "", .time = {}, .ready = false, .error = std::move(done).error()});
  // Processes that were started end with the lab's cgroup; waiting threads need no join.
  ::_exit(1);
}
