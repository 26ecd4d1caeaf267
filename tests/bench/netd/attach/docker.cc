// A dockerd of the benchmark's own, through its API: what `docker network connect` asks for,
// without the time that the command itself takes to start. Source: Docker Engine API,
// https://docs.docker.com/engine/api/v1.41/.
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "common/base/unique_fd.h"
#include "tests/bench/netd/attach/child.h"
#include "tests/bench/netd/attach/peer.h"

namespace heddle::bench {
namespace {

constexpr const char* kDockerd = "/usr/sbin/dockerd";
constexpr const char* kBusybox = "/bin/busybox";
constexpr int kMostContainers = 40;  // each is a process with a shim

class DockerPeer final : public Peer {
 public:
  explicit DockerPeer(const std::string& directory) : directory_(directory) {
    // Its sockets and pid files are below /run, whatever its options say.
    if (::mount("heddle-bench", "/run", "tmpfs", 0, "mode=0755") != 0) std::perror("mount /run");
    daemon_ = std::make_unique<Child>(
        std::vector<std::string>{kDockerd, "--data-root", directory + "/data", "--exec-root",
                                 "/run/docker", "--host", "unix://" + socket(), "--pidfile",
                                 "/run/docker.pid"},
        directory + "/dockerd.log");
  }
  ~DockerPeer() override {
    std::string said;
    for (const auto& id : containers_) ask("DELETE", "/containers/" + id + "?force=1", "", said);
    daemon_.reset();
    ::umount2("/run", MNT_DETACH);
  }

  bool wait() {
    std::string said;
    for (int i = 0; i < 1500 && daemon_->alive(); ++i) {
      if (ask("GET", "/_ping", "", said) == 200) return import_image();
      ::usleep(20'000);
    }
    return false;
  }

  std::string name() const override { return "Docker"; }
  std::vector<std::string> add_workloads(int count) override {
    std::vector<std::string> made;
    while (static_cast<int>(made.size()) < std::min(count, kMostContainers)) {
      const std::string id = "bench" + std::to_string(containers_.size());
      std::string said;
      const int created = ask("POST", "/containers/create?name=" + id,
                              R"({"Image":"heddle-bench","Cmd":["/bin/busybox","sleep","1000"],)"
                              R"("HostConfig":{"NetworkMode":"first"}})",
                              said);
      const int started =
          created == 201 ? ask("POST", "/containers/" + id + "/start", "", said) : created;
      if (started != 204) {
        std::printf("Docker: a container does not start: %s\n", said.c_str());
        break;
      }
      containers_.push_back(id);
      made.push_back(id);
    }
    return made;
  }
  std::string create_network(const std::string& network) override {
    return call("/networks/create", R"({"Name":")" + network + R"("})");
  }
  std::string connect(const std::string& network, const std::string& workload) override {
    return call("/networks/" + network + "/connect", R"({"Container":")" + workload + R"("})");
  }
  std::string disconnect(const std::string& network, const std::string& workload) override {
    return call("/networks/" + network + "/disconnect", R"({"Container":")" + workload + R"("})");
  }
  double resident_bytes() const override { return bench::resident_bytes(daemon_->pid()); }

 private:
  std::string socket() const { return directory_ + "/docker.sock"; }

  // A busybox and nothing else.
  bool import_image() {
    const std::string root = directory_ + "/root";
    std::filesystem::create_directories(root + "/bin");
    std::filesystem::copy_file(kBusybox, root + "/bin/busybox",
                               std::filesystem::copy_options::overwrite_existing);
    std::string output;
    if (run({"tar", "-C", root, "-cf", directory_ + "/image.tar", "."}, {"PATH=/usr/bin:/bin"}, "",
            output) != 0) {
      return false;
    }
    FILE* file = std::fopen((directory_ + "/image.tar").c_str(), "re");
    std::string image(std::filesystem::file_size(directory_ + "/image.tar"), '\0');
    const bool read = std::fread(image.data(), 1, image.size(), file) == image.size();
    std::fclose(file);
    std::string said;
    return read &&
           ask("POST", "/images/create?fromSrc=-&repo=heddle-bench", image, said,
               "application/x-tar") == 200 &&
           create_network("first").empty();
  }

  std::string call(const std::string& path, const std::string& body) {
    std::string said;
    const int status = ask("POST", path, body, said);
    return status >= 200 && status < 300 ? "" : std::to_string(status) + ": " + said;
  }

  // One request on a connection of its own; the status, and all that was answered.
  int ask(const std::string& method, const std::string& path, const std::string& body,
          std::string& said, const std::string& type = "application/json") {
    said.clear();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket().c_str(), sizeof address.sun_path - 1);
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 0;
    const std::string request = method + " " + path + " HTTP/1.1\r\nHost: docker\r\n" +
                                "Connection: close\r\nContent-Type: " + type +
                                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                                body;
    for (std::size_t sent = 0; sent < request.size();) {
      const ssize_t n =
          ::send(fd.get(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return 0;
      sent += static_cast<std::size_t>(n);
    }
    char buffer[4096];
    for (ssize_t n; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;) {
      said.append(buffer, static_cast<std::size_t>(n));
    }
    return said.size() > 12 ? std::atoi(said.c_str() + 9) : 0;
  }

  std::string directory_;
  std::unique_ptr<Child> daemon_;
  std::vector<std::string> containers_;
};

}  // namespace

std::unique_ptr<Peer> start_docker(const std::string& directory) {
  if (::access(kDockerd, X_OK) != 0 || ::access(kBusybox, X_OK) != 0) {
    std::printf("SKIPPED Docker: docker.io or busybox-static is not installed\n");
    return nullptr;
  }
  auto peer = std::make_unique<DockerPeer>(directory);
  if (peer->wait()) return peer;
  std::printf("SKIPPED Docker: dockerd does not work here; the end of its log:\n");
  std::string output;
  run({"tail", "-n", "5", directory + "/dockerd.log"}, {"PATH=/usr/bin:/bin"}, "", output);
  std::printf("%s\n", output.c_str());
  return nullptr;
}

}  // namespace heddle::bench
