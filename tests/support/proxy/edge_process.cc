#include "tests/support/proxy/edge_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "common/base/check.h"
#include "tests/support/proxy/proxy_process.h"

namespace heddle::testing {
namespace {

std::string edge_program() {
  const char* bin = std::getenv("HEDDLE_BIN");
  return std::string(bin ? bin : "build/debug/bin") + "/heddle-proxy";
}

}  // namespace

std::uint16_t free_port() {
  std::uint16_t port = 0;
  listen_on_loopback(&port).reset();
  return port;
}

EdgeProcess::EdgeProcess(std::string directory, const std::string& config,
                         std::vector<std::string> arguments, std::map<std::string, int> sockets)
    : directory_(std::move(directory)) {
  write(config);
  std::vector<std::string> all = {edge_program(), "--config", file(), "--log-level", "warn"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : all) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_ = ::fork();
  CHECK(pid_ >= 0);
  if (pid_ > 0) return;
  std::string names;
  int next = 100;  // above everything inherited
  for (const auto& [name, fd] : sockets) {
    names += (names.empty() ? "" : ",") + name + "=" + std::to_string(next);
    ::dup2(fd, next++);
  }
  ::setenv("HEDDLE_PROXY_SOCKETS", names.c_str(), 1);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

EdgeProcess::~EdgeProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void EdgeProcess::write(const std::string& config) const {
  // Whole at once, as a careful operator does it.
  const std::string next = file() + ".next";
  std::ofstream(next) << config << "\nadmin: {socket: " << directory_ << "/admin.sock}\n";
  CHECK(::rename(next.c_str(), file().c_str()) == 0);
}

EdgeProcess::Said EdgeProcess::run(const std::string& arguments) {
  Said out;
  const std::string command = edge_program() + " " + arguments + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  char bytes[4096];
  while (const std::size_t n = std::fread(bytes, 1, sizeof bytes, pipe)) out.text.append(bytes, n);
  const int status = ::pclose(pipe);
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

EdgeProcess::Said EdgeProcess::admin(const std::string& arguments) const {
  return run("admin --socket " + directory_ + "/admin.sock " + arguments);
}

bool EdgeProcess::wait_until_ready() const {
  for (int i = 0; i < 600; ++i) {
    if (admin("ready").status == 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

int EdgeProcess::terminate() {
  ::kill(pid_, SIGTERM);
  const int status = ProxyProcess::wait(pid_);
  if (status >= 0) pid_ = -1;
  return status;
}

}  // namespace heddle::testing
