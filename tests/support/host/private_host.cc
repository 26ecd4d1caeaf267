#include "tests/support/host/private_host.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "dataplane/netns/netns.h"

namespace heddle::host {
namespace {

void must(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "private host: %s: %s (kernel tests run as root)\n", what,
               std::strerror(errno));
  std::abort();
}

struct Output {
  int status = -1;
  std::string text;
};

Output capture(const std::string& command) {
  Output output;
  FILE* pipe = ::popen(("{ " + command + "\n} 2>&1").c_str(), "re");
  must(pipe != nullptr, "run a shell");
  std::array<char, 4096> buffer;
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe))
    output.text.append(buffer.data(), size);
  const int status = ::pclose(pipe);
  output.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  while (!output.text.empty() && output.text.back() == '\n') output.text.pop_back();
  return output;
}

}  // namespace

PrivateHost::PrivateHost() : directory_("/tmp/host") {
  must(::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
  must(::mount("heddle-test", "/tmp", "tmpfs", 0, "mode=1777") == 0, "mount /tmp");
  must(::mkdir(directory_.c_str(), 0755) == 0, "mkdir");
  run("ip link set lo up");
}

PrivateHost::~PrivateHost() {
  for (const std::string& sandbox : sandboxes_) {
    if (auto removed = netns::remove(sandbox); !removed)
      std::fprintf(stderr, "private host: %s\n", removed.error().text().c_str());
  }
}

std::string PrivateHost::add_sandbox(const std::string& name) {
  const std::string path = directory_ + "/" + name;
  auto created = netns::create(path);
  EXPECT_TRUE(created) << created.error().text();
  sandboxes_.push_back(path);
  return path;
}

void PrivateHost::remove_sandbox(const std::string& path) {
  auto removed = netns::remove(path);
  EXPECT_TRUE(removed) << removed.error().text();
}

std::string run(const std::string& command) {
  Output output = capture(command);
  EXPECT_EQ(output.status, 0) << command << "\n" << output.text;
  return std::move(output.text);
}

std::string run_in(const std::string& sandbox, const std::string& command) {
  return run("nsenter --net=" + sandbox + " sh -c '" + command + "'");
}

int status_of(const std::string& command) {
  return capture(command).status;
}

}  // namespace heddle::host
