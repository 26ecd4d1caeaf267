#include "netd/holder/process_keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "common/observe/log.h"

extern char** environ;

namespace heddle::holder {
namespace {

constexpr int kAttempts = 200;  // 10 ms apart
constexpr timeval kTimeout{.tv_sec = 5, .tv_usec = 0};

// None when nobody listens: the holder must be started.
Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "socket path '" + path + "' must have 1 to 107 bytes; choose a " +
                                   "shorter run directory");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "open a unix socket");
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return UniqueFd();
    return fail_errno(errno, "connect to the holder at " + path);
  }
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    return fail_errno(errno, "ask who listens at " + path);
  if (peer.uid != 0 && peer.uid != ::geteuid()) {
    return fail(Errc::denied, "uid " + std::to_string(peer.uid) + " listens at " + path +
                                  "; descriptors are given to root's or our own holder only");
  }
  return fd;
}

std::string read_all(int fd) {
  std::string text;
  char buffer[512];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    if (text.size() < 4096) text.append(buffer, static_cast<std::size_t>(n));
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// The program, with stdin and stdout on /dev/null, stderr on `error_pipe`, signals as at boot.
int spawn(const std::vector<std::string>& arguments, int error_pipe, pid_t& pid) {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, error_pipe, 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t set;
  ::sigemptyset(&set);
  ::posix_spawnattr_setsigmask(&attributes, &set);
  ::sigfillset(&set);
  ::posix_spawnattr_setsigdefault(&attributes, &set);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int failed =
      ::posix_spawn(&pid, arguments[0].c_str(), &files, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return failed;
}

Result<> start_holder(const Settings& settings) {
  std::vector<std::string> arguments{settings.binary, "--socket", settings.socket};
  if (!settings.cgroup.empty()) {
    if (::mkdir(settings.cgroup.c_str(), 0755) < 0 && errno != EEXIST)
      return fail_errno(errno, "make cgroup " + settings.cgroup);
    arguments.insert(arguments.end(), {"--cgroup", settings.cgroup});
  }
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) < 0) return fail_errno(errno, "pipe");
  UniqueFd errors(pipe[0]);
  UniqueFd write_end(pipe[1]);
  pid_t pid = -1;
  const int failed = spawn(arguments, write_end.get(), pid);
  write_end.reset();
  if (failed != 0) return fail_errno(failed, "run " + settings.binary);
  const std::string text = read_all(errors.get());
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kPlaceTaken) return fail(Errc::in_use, text);
  return fail(
      Errc::unavailable,
      text.empty() ? settings.binary + " ended with wait status " + std::to_string(status) : text);
}

Request request_of(Command command, const std::string& name = "") {
  Request request{};
  request.magic = kMagic;
  request.command = command;
  request.name_length = static_cast<std::uint32_t>(name.size());
  std::memcpy(request.name, name.data(), std::min(name.size(), kMaxName));
  return request;
}

Result<> check(const std::string& name) {
  if (is_name(name)) return {};
  return fail(Errc::invalid, "descriptor name '" + name.substr(0, 160) +
                                 "' must be 1 to 128 of A-Z a-z 0-9 . _ : / -");
}

}  // namespace

Result<std::unique_ptr<Keeper>> ProcessKeeper::open(const Settings& settings) {
  const auto opened = [&](UniqueFd socket, const char* how) {
    log_info("keeper_opened", {{"kind", how}, {"socket", settings.socket}});
    return std::unique_ptr<Keeper>(new ProcessKeeper(settings, std::move(socket)));
  };
  for (int attempt = 0;; ++attempt) {
    TRY(UniqueFd found, connect_to(settings.socket));
    if (found) return opened(std::move(found), "holder, found");
    auto started = start_holder(settings);
    if (started) {
      TRY(UniqueFd fresh, connect_to(settings.socket));
      if (fresh) return opened(std::move(fresh), "holder, started");
      started = fail(Errc::unavailable, "it went away at once");
    }
    // The place is taken, though nobody answers: one that starts, or ends, at this moment.
    if (started.error().code() != Errc::in_use || attempt == kAttempts)
      return std::unexpected(std::move(started).error().during("start the holder"));
    ::usleep(10'000);
  }
}

Result<> ProcessKeeper::put(const std::string& name, int fd) {
  TRY_DO(check(name));
  Reply reply;
  std::vector<UniqueFd> none;
  return ask(request_of(Command::put, name), fd, reply, none).during("keep " + name);
}

Result<> ProcessKeeper::drop(const std::string& name) {
  TRY_DO(check(name));
  Reply reply;
  std::vector<UniqueFd> none;
  return ask(request_of(Command::drop, name), -1, reply, none).during("drop " + name);
}

Result<std::map<std::string, UniqueFd>> ProcessKeeper::take_all() {
  std::map<std::string, UniqueFd> all;
  Request request = request_of(Command::list);
  do {
    Reply reply;
    std::vector<UniqueFd> fds;
    TRY_DO(ask(request, -1, reply, fds).during("list kept descriptors"));
    for (std::size_t i = 0; i < fds.size(); ++i) {
      const Name& name = reply.names[i];
      all[std::string(name.text, std::min<std::size_t>(name.length, kMaxName))] = std::move(fds[i]);
    }
    request.cursor = reply.next;
  } while (request.cursor != 0);
  return all;
}

Result<> ProcessKeeper::shut() {
  Reply reply;
  std::vector<UniqueFd> none;
  TRY_DO(ask(request_of(Command::shut), -1, reply, none).during("end the holder"));
  // The process closes its end as it ends; its cgroup can be removed once it is gone.
  pollfd end{socket_.get(), POLLIN, 0};
  ::poll(&end, 1, static_cast<int>(kTimeout.tv_sec) * 1000);
  socket_.reset();
  if (settings_.cgroup.empty()) return {};
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (::rmdir(settings_.cgroup.c_str()) == 0 || errno != EBUSY) return {};
    ::usleep(10'000);
  }
  return fail(Errc::in_use, "cgroup " + settings_.cgroup + " still has processes");
}

Result<> ProcessKeeper::ask(const Request& request, int fd, Reply& reply,
                            std::vector<UniqueFd>& fds) {
  const std::lock_guard lock(mutex_);
  if (!socket_) return std::unexpected(gone(EPIPE));
  auto done = send(request, fd);
  if (done) done = receive(reply, fds);
  if (!done) {
    socket_.reset();
    return done;
  }
  switch (reply.sys_errno) {
    case 0:
      return {};
    case ENOSPC:
      return fail(Errc::exhausted, "the holder keeps " + std::to_string(kMaxKept) +
                                       " descriptors already; remove workloads or load balancers");
    default:
      return fail_errno(reply.sys_errno, "the holder refused");
  }
}

Result<> ProcessKeeper::send(const Request& request, int fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{const_cast<Request*>(&request), sizeof request};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  for (;;) {
    const ssize_t n = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (n == static_cast<ssize_t>(sizeof request)) return {};
    if (n < 0 && errno == EINTR) continue;
    return std::unexpected(gone(n < 0 ? errno : EPIPE));
  }
}

Result<> ProcessKeeper::receive(Reply& reply, std::vector<UniqueFd>& fds) {
  alignas(cmsghdr) char control[CMSG_SPACE(kPage * sizeof(int))];
  iovec part{&reply, sizeof reply};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n;
  do {
    n = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return std::unexpected(gone(n < 0 ? errno : EPIPE));
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    return fail(Errc::exhausted, "too many open files: raise heddled's limit (LimitNOFILE=)");
  }
  const bool whole = static_cast<std::size_t>(n) == sizeof reply && reply.magic == kMagic &&
                     reply.count == fds.size() && reply.next < kMaxKept;
  if (!whole) {
    return fail(Errc::unavailable, "the holder at " + settings_.socket +
                                       " answers in another layout; it is of another version");
  }
  return {};
}

Error ProcessKeeper::gone(int sys_errno) const {
  const std::string where = "the holder at " + settings_.socket;
  if (sys_errno == EAGAIN) return Error(Errc::unavailable, where + " does not answer");
  if (sys_errno == ETOOMANYREFS)
    return Error(Errc::exhausted, "too many descriptors are on their way; try again");
  return Error(Errc::unavailable, where + " has gone; it is started again with heddled");
}

}  // namespace heddle::holder
