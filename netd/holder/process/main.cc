// heddle-holder: keeps heddled's descriptors while heddled is away. Started by heddled itself
// (netd/holder/keeper.h); returns once its socket answers, and goes on in the background.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "netd/holder/process/server.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

int usage() {
  std::fputs(
      "usage: heddle-holder --socket PATH [--cgroup DIRECTORY]\n"
      "Keeps heddled's descriptors while it is away. heddled starts it.\n",
      stderr);
  return kUsage;
}

bool join_cgroup(const char* directory) {
  const int dir = ::open(directory, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  const int procs = dir < 0 ? -1 : ::openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  const bool joined = procs >= 0 && ::write(procs, "0", 1) == 1;
  if (!joined) {
    std::fprintf(stderr, "heddle-holder: join cgroup %s: %s\n", directory, std::strerror(errno));
  }
  if (procs >= 0) ::close(procs);
  if (dir >= 0) ::close(dir);
  return joined;
}

bool allow_descriptors() {
  rlimit limit{};
  constexpr rlim_t kNeeded = heddle::holder::kMaxKept + 64;
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return false;
  if (limit.rlim_cur >= kNeeded) return true;
  limit.rlim_cur = kNeeded;
  if (limit.rlim_max < kNeeded) limit.rlim_max = kNeeded;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return true;
  limit.rlim_cur = limit.rlim_max;  // without privilege: as many as we may
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// Off the starter's session and terminal: listens in a child, and ends this process once it does,
// so that whoever waits for us may connect.
bool listen_in_background(heddle::process::Server& server) {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) < 0) return false;
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child > 0) {
    ::close(ready[1]);
    char byte;
    if (::read(ready[0], &byte, 1) == 1) ::_exit(0);
    return false;
  }
  ::close(ready[0]);
  ::setsid();
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2 && null >= 0; ++fd) ::dup2(null, fd);
  if (null > 2) ::close(null);
  if (null < 0 || ::chdir("/") < 0 || !server.listen()) ::_exit(kFailed);
  const bool told = ::write(ready[1], "", 1) == 1;
  ::close(ready[1]);
  return told;
}

int stop_signals() {
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
  for (const int ignored : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE}) ::signal(ignored, SIG_IGN);
  return ::signalfd(-1, &blocked, SFD_CLOEXEC);
}

}  // namespace

int main(int argc, char** argv) {
  const char* socket = nullptr;
  const char* cgroup = nullptr;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 >= argc) return usage();
    if (std::strcmp(argv[i], "--socket") == 0) {
      socket = argv[i + 1];
    } else if (std::strcmp(argv[i], "--cgroup") == 0) {
      cgroup = argv[i + 1];
    } else {
      return usage();
    }
  }
  if (socket == nullptr) return usage();
  ::close_range(3, ~0U, 0);  // whatever the starter forgot to keep to itself
  static heddle::process::Server server;
  if (auto opened = server.open(socket); !opened) {
    std::fprintf(stderr, "heddle-holder: %s\n", opened.error().text().c_str());
    return opened.error().code() == heddle::Errc::in_use ? heddle::holder::kPlaceTaken : kFailed;
  }
  if ((cgroup != nullptr && !join_cgroup(cgroup)) || !allow_descriptors() ||
      !listen_in_background(server)) {
    std::fputs("heddle-holder: cannot go to the background\n", stderr);
    server.close();
    return kFailed;
  }
  server.run(stop_signals());
  server.close();
  return 0;
}
