#include "netd/cluster/etcd_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/observe/log.h"

namespace heddle::cluster {
namespace {

constexpr std::chrono::milliseconds kFirstRestartPause{100};
constexpr std::chrono::milliseconds kLongestRestartPause{5000};
constexpr int kStopMilliseconds = 5000;
constexpr ::off_t kMaxLog = 1 << 20;  // a longer log is begun anew
constexpr int kLogCheckMilliseconds = 600'000;

std::vector<std::string> command_line(const EtcdChild::Settings& settings) {
  const std::string client = "https://" + settings.client.format();
  const std::string peer = "https://" + settings.peer.format();
  const bool first = settings.initial_cluster.empty();
  std::vector<std::string> line{
      settings.binary, "--name=" + settings.name, "--data-dir=" + settings.data_dir,
      "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
      "--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
      "--initial-cluster=" + (first ? settings.name + "=" + peer : settings.initial_cluster),
      std::string("--initial-cluster-state=") + (first ? "new" : "existing"),
      "--initial-cluster-token=" + settings.cluster, "--client-cert-auth",
      "--trusted-ca-file=" + settings.ca_file, "--cert-file=" + settings.cert_file,
      "--key-file=" + settings.key_file, "--peer-client-cert-auth",
      "--peer-trusted-ca-file=" + settings.ca_file, "--peer-cert-file=" + settings.cert_file,
      "--peer-key-file=" + settings.key_file, "--peer-cert-allowed-cn=" + settings.common_name,
      // Who a member is its name says, not the address that its connections happen to come from.
      "--experimental-peer-skip-client-san-verification",
      // What a change of members may cost is checked by who asks for it (voters.cc).
      "--strict-reconfig-check=false",
      // One that was cut off does not unseat the leader when it is back.
      "--pre-vote", "--max-txn-ops=65536", "--max-request-bytes=10485760",
      "--auto-compaction-mode=revision", "--auto-compaction-retention=10000",
      "--snapshot-count=10000", "--logger=zap", "--log-level=warn", "--log-outputs=stderr"};
  // A lone member waits for nobody, so it may elect itself soon. Several must not take a slow disk
  // or a busy processor for a dead leader (etcd's tuning guide).
  if (settings.alone == EtcdChild::Settings::Alone::yes) {
    line.insert(line.end(), {"--heartbeat-interval=50", "--election-timeout=500"});
  } else {
    line.insert(line.end(), {"--heartbeat-interval=100", "--election-timeout=1000"});
  }
  if (settings.members == EtcdChild::Settings::Members::forgotten) {
    line.emplace_back("--force-new-cluster");
  }
  return line;
}

UniqueFd open_log(const std::string& file) {
  UniqueFd log(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  struct stat status{};
  if (log && ::fstat(log.get(), &status) == 0 && status.st_size > kMaxLog) {
    (void)!::ftruncate(log.get(), 0);
  }
  return log;
}

// What the child does between fork and exec: async-signal-safe calls alone (signal-safety(7)).
struct Launch {
  const char* binary;
  char* const* argv;
  char* const* environment;
  int null_fd;
  int log_fd;
  int cgroup_fd;  // -1: none
  ::pid_t parent;
};

[[noreturn]] void exec_child(const Launch& launch) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != launch.parent) ::_exit(127);  // it died before the line above
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::setsid();
  if (launch.cgroup_fd >= 0) (void)!::write(launch.cgroup_fd, "0", 1);
  ::dup2(launch.null_fd, 0);
  ::dup2(launch.log_fd, 1);
  ::dup2(launch.log_fd, 2);
  ::execve(launch.binary, launch.argv, launch.environment);
  ::_exit(127);
}

class Child final : public EtcdChild {
 public:
  Child(Settings settings, UniqueFd stop)
      : settings_(std::move(settings)), stop_(std::move(stop)), thread_([this] { run(); }) {}
  ~Child() override {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
    // etcd was the only one in it; the next start makes it again.
    if (!settings_.cgroup.empty()) (void)::rmdir(settings_.cgroup.c_str());
  }
  std::string last_words() const override;

 private:
  void run();
  Result<::pid_t> launch() const;
  enum class Woke { by_stop, by_end, by_time };
  Woke wait(int pid_fd, int milliseconds) const;  // pid_fd -1: no child
  void stop_child(::pid_t pid, int pid_fd) const;

  const Settings settings_;
  const UniqueFd stop_;
  std::thread thread_;
};

std::string Child::last_words() const {
  std::ifstream log(settings_.log_file);
  std::string last;
  for (std::string line; std::getline(log, line);) {
    if (!line.empty()) last = line;
  }
  return last.substr(0, 500);
}

Result<::pid_t> Child::launch() const {
  std::vector<std::string> words = command_line(settings_);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // Nothing of our environment: etcd reads its settings from ETCD_* too.
  char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
  char* environment[] = {path, nullptr};
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd log = open_log(settings_.log_file);
  if (!null || !log) return fail_errno(errno, "open " + settings_.log_file);
  UniqueFd cgroup;
  if (!settings_.cgroup.empty()) {
    std::error_code ec;
    std::filesystem::create_directories(settings_.cgroup, ec);
    const std::string procs = settings_.cgroup + "/cgroup.procs";
    cgroup.reset(::open(procs.c_str(), O_WRONLY | O_CLOEXEC));
    if (!cgroup) return fail_errno(errno, "open " + procs);
  }
  const Launch launch{settings_.binary.c_str(),
                      argv.data(),
                      environment,
                      null.get(),
                      log.get(),
                      cgroup.get(),
                      ::getpid()};
  const ::pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) exec_child(launch);
  return pid;
}

Child::Woke Child::wait(int pid_fd, int milliseconds) const {
  pollfd polls[] = {{stop_.get(), POLLIN, 0}, {pid_fd, POLLIN, 0}};
  while (::poll(polls, pid_fd >= 0 ? 2 : 1, milliseconds) < 0 && errno == EINTR) {
  }
  if ((polls[0].revents & POLLIN) != 0) return Woke::by_stop;
  return (polls[1].revents & POLLIN) != 0 ? Woke::by_end : Woke::by_time;
}

void Child::stop_child(::pid_t pid, int pid_fd) const {
  ::kill(pid, SIGTERM);
  pollfd poll{pid_fd, POLLIN, 0};
  int ready = 0;
  while ((ready = ::poll(&poll, 1, kStopMilliseconds)) < 0 && errno == EINTR) {
  }
  if (ready == 0) ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

void Child::run() {
  auto pause = kFirstRestartPause;
  for (;;) {
    const auto started = std::chrono::steady_clock::now();
    const auto pid = launch();
    if (pid) {
      const UniqueFd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
      Woke woke = Woke::by_time;
      while (woke == Woke::by_time) {
        woke = wait(pid_fd.get(), kLogCheckMilliseconds);
        (void)open_log(settings_.log_file);  // cuts it when it has grown
      }
      if (woke == Woke::by_stop) return stop_child(*pid, pid_fd.get());
      int status = 0;
      ::waitpid(*pid, &status, 0);
      log_warn("etcd_ended", {{"status", WIFEXITED(status) ? WEXITSTATUS(status) : -1},
                              {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0},
                              {"last_words", last_words()}});
    } else {
      log_error("etcd_not_started", {{"error", pid.error()}});
    }
    if (std::chrono::steady_clock::now() - started > kLongestRestartPause)
      pause = kFirstRestartPause;
    if (wait(-1, static_cast<int>(pause.count())) == Woke::by_stop) return;
    pause = std::min(pause * 2, kLongestRestartPause);
  }
}

}  // namespace

Result<std::string> EtcdChild::find_binary(const std::string& wanted) {
  if (wanted.find('/') != std::string::npos) {
    if (::access(wanted.c_str(), X_OK) == 0) return wanted;
    return fail_errno(errno, "etcd's binary " + wanted);
  }
  const std::string name = wanted.empty() ? "etcd" : wanted;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = folder + "/" + name;
    if (!folder.empty() && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return fail(Errc::not_found,
              "etcd is not installed: a manager needs it; install the package "
              "etcd-server");
}

Result<std::unique_ptr<EtcdChild>> EtcdChild::start(Settings settings) {
  TRY(settings.binary, find_binary(settings.binary));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return fail_errno(errno, "eventfd");
  return std::make_unique<Child>(std::move(settings), std::move(stop));
}

}  // namespace heddle::cluster
