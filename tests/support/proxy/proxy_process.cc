#include "tests/support/proxy/proxy_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "common/base/check.h"

namespace heddle::testing {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

}  // namespace

UniqueFd listen_on_loopback(std::uint16_t* port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  CHECK(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(::listen(fd.get(), 1024) == 0);
  socklen_t size = sizeof address;
  CHECK(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  *port = ntohs(address.sin_port);
  return fd;
}

UniqueFd connect_to(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in address = loopback(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fd.reset();
  }
  return fd;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string receive(int fd, std::string_view enough) {
  std::string out;
  char bytes[16384];
  while (enough.empty() || out.find(enough) == std::string::npos) {
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) break;
    out.append(bytes, static_cast<std::size_t>(n));
  }
  return out;
}

std::string exchange(std::uint16_t port, std::string_view request) {
  const UniqueFd fd = connect_to(port);
  if (!fd || !send_all(fd.get(), request)) return "";
  return receive(fd.get());
}

ProxyProcess::ProxyProcess(Options options) {
  options.sockets.push_back("metrics");
  for (const std::string& name : options.sockets) {
    sockets_[name] = listen_on_loopback(&ports_[name]);
  }
  const char* bin = std::getenv("HEDDLE_BIN");
  const std::string program = std::string(bin ? bin : "build/debug/bin") + "/heddle-proxy";
  arguments_ = {program, "--id", "test", "--control-socket", options.control_socket};
  arguments_.insert(arguments_.end(), options.arguments.begin(), options.arguments.end());
  launch();
}

void ProxyProcess::launch() {
  std::string names;
  int next = 100;  // in the child, above everything inherited
  std::vector<std::pair<int, int>> moves;
  for (const auto& [name, fd] : sockets_) {
    names += (names.empty() ? "" : ",") + name + "=" + std::to_string(next);
    moves.emplace_back(fd.get(), next++);
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments_) argv.push_back(argument.data());
  argv.push_back(nullptr);

  pid_ = ::fork();
  CHECK(pid_ >= 0);
  if (pid_ > 0) return;
  for (const auto& [from, to] : moves) ::dup2(from, to);
  ::setenv("HEDDLE_PROXY_SOCKETS", names.c_str(), 1);
  if (::getuid() == 0) {
    ::setgroups(0, nullptr);
    if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0)
      ::_exit(126);
  }
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

ProxyProcess::~ProxyProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

int ProxyProcess::terminate() {
  ::kill(pid_, SIGTERM);
  const int status = wait(pid_);
  if (status >= 0) pid_ = -1;
  return status;
}

pid_t ProxyProcess::replace() {
  const pid_t last = pid_;
  ::kill(last, SIGTERM);
  launch();
  return last;
}

int ProxyProcess::wait(pid_t pid) {
  for (int i = 0; i < 1500; ++i) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return -1;
}

std::string ProxyProcess::metrics() const {
  return exchange(port("metrics"), "GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n");
}

double ProxyProcess::metric(const std::string& prefix) const {
  const std::string text = metrics();
  const auto at = text.find("\n" + prefix);
  if (at == std::string::npos) return -1;
  const auto end = text.find('\n', at + 1);
  const std::string line = text.substr(at + 1, end - at - 1);
  return std::atof(line.substr(line.rfind(' ') + 1).c_str());
}

bool ProxyProcess::wait_for_metric(const std::string& prefix, double least,
                                   std::chrono::milliseconds budget) const {
  const auto deadline = std::chrono::steady_clock::now() + budget;
  while (metric(prefix) < least) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace heddle::testing
