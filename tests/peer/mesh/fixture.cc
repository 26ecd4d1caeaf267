#include "tests/peer/mesh/fixture.h"

#include <arpa/inet.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "common/base/check.h"
#include "dataplane/netns/netns.h"

namespace heddle::mesh {
namespace {

namespace fs = std::filesystem;
constexpr timeval kTimeout{.tv_sec = 5, .tv_usec = 0};

std::string cgroup2_root() {
  for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs info{};
    if (::statfs(path, &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC) return path;
  }
  return "";
}

std::string bin_dir() {
  if (const char* bin = std::getenv("HEDDLE_BIN")) return bin;
  return fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin";
}

sockaddr_in to_sockaddr(const SocketAddr& address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(address.port);
  in.sin_addr.s_addr = address.address.v4_be();
  return in;
}

SocketAddr free_loopback_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in in = to_sockaddr(*SocketAddr::parse("127.0.0.1:1"));
  in.sin_port = 0;
  CHECK(::bind(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) == 0);
  socklen_t size = sizeof in;
  CHECK(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&in), &size) == 0);
  return {IpAddr::v4(0x7f000001), ntohs(in.sin_port)};
}

std::string read_head(int fd) {
  std::string text;
  char buffer[1024];
  while (text.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return "";
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

}  // namespace

OneAnswer::OneAnswer(const std::string& netns, const SocketAddr& address, std::string body)
    : body_(std::move(body)) {
  auto sandbox = netns::open(netns);
  CHECK(sandbox.has_value());
  auto listening = netns::listen_tcp(sandbox->get(), address);
  CHECK(listening.has_value());
  listening_ = *std::move(listening);
  thread_ = std::thread([this] { run(); });
}

OneAnswer::~OneAnswer() {
  stopping_ = true;
  ::shutdown(listening_.get(), SHUT_RD);
  thread_.join();
}

void OneAnswer::run() {
  while (!stopping_) {
    pollfd ready{listening_.get(), POLLIN, 0};
    ::poll(&ready, 1, 100);
    const UniqueFd client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) continue;
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
    if (read_head(client.get()).empty()) continue;
    ++served_;
    const std::string answer =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body_.size()) +
        "\r\nConnection: close\r\n\r\n" + body_;
    (void)!::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }
}

UniqueFd connect_to(const SocketAddr& address, const std::string& netns) {
  UniqueFd fd;
  const auto work = [&]() -> Result<> {
    fd.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
    const sockaddr_in in = to_sockaddr(address);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&in), sizeof in) < 0) fd.reset();
    return {};
  };
  if (netns.empty()) {
    (void)work();
  } else {
    auto sandbox = netns::open(netns);
    CHECK(sandbox.has_value() && netns::run_in(sandbox->get(), work).has_value());
  }
  return fd;
}

std::string request_on(int fd, const std::string& host, const std::string& page) {
  const std::string request =
      "GET " + page + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return "";
  std::string answer;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) break;
    answer.append(buffer, static_cast<std::size_t>(n));
  }
  const auto body = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 200") || body == std::string::npos) return "";
  return answer.substr(body + 4);
}

std::string get(const SocketAddr& address, const std::string& netns, const std::string& host) {
  const UniqueFd fd = connect_to(address, netns);
  return fd ? request_on(fd.get(), host) : "";
}

std::string get_page(const std::string& socket, const std::string& page) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return "";
  return request_on(fd.get(), "localhost", page);
}

void MeshTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (cgroup2_root().empty()) GTEST_SKIP() << "needs a cgroup2 mount";
  char path[] = "/tmp/heddle-mesh-XXXXXX";
  dir_ = ::mkdtemp(path);  // mode 0700: proxies cannot walk there by themselves
  run_dir_ = dir_ + "/run";
  fs::create_directory(run_dir_);
  ASSERT_EQ(::chmod(run_dir_.c_str(), 0711), 0);
  sandbox_ = dir_ + "/netns";
  cgroup_ = cgroup2_root() + "/" + dir_.substr(5);
  ASSERT_TRUE(netns::create(sandbox_));
  view_.self = "node1";
  auto keeper = holder::open_keeper(
      {.socket = run_dir_ + "/holder.sock", .binary = bin_dir() + "/heddle-holder", .cgroup = ""});
  ASSERT_TRUE(keeper) << keeper.error().text();
  keeper_ = *std::move(keeper);
  processes_ = std::move(*runtime::Processes::create());
  start_mesh();
}

void MeshTest::TearDown() {
  if (dir_.empty()) return;
  if (!mesh_) start_mesh();
  if (mesh_) mesh_->remove_everything();
  mesh_.reset();
  processes_.reset();
  if (keeper_) {
    const auto all = keeper_->take_all();
    EXPECT_TRUE(!all || all->empty()) << all->begin()->first << " is still kept";
    EXPECT_TRUE(keeper_->shut());
  }
  EXPECT_TRUE(runtime::remove_cgroup(cgroup_));
  EXPECT_TRUE(netns::remove(sandbox_));
  if (HasFailure()) {
    for (const auto& entry : fs::directory_iterator(dir_ + "/log"))
      (void)!std::system(
          ("echo == " + entry.path().string() + "; tail -20 " + entry.path().string()).c_str());
  }
  fs::remove_all(dir_);
}

void MeshTest::start_mesh() {
  auto mesh = Mesh::start({.run_dir = run_dir_,
                           .log_dir = dir_ + "/log",
                           .proxy_binary = bin_dir() + "/heddle-proxy",
                           .cgroup_base = cgroup_,
                           .uid = uid_},
                          *keeper_, *processes_, [this] { ++changes_; });
  ASSERT_TRUE(mesh) << mesh.error().text();
  mesh_ = *std::move(mesh);
}

void MeshTest::add_network() {
  model::Network network;
  network.id = "net1";
  network.name = "app";
  view_.networks["net1"] = network;
  model::Service service;
  service.id = "svc1";
  service.network = "net1";
  service.name = "web";
  service.vip = *IpAddr::parse("10.32.0.2");
  service.ports = {{"", 8080, model::Protocol::tcp, model::AppProtocol::http1}};
  view_.services["svc1"] = service;
}

void MeshTest::add_backend(const std::string& id, const std::string& address,
                           const std::string& node) {
  model::Endpoint endpoint;
  endpoint.id = id;
  endpoint.network = "net1";
  endpoint.workload = "of-" + id;
  endpoint.node = node;
  endpoint.address = {*IpAddr::parse(address), 20};
  endpoint.service = "web";
  endpoint.ports = {{"", 8080, model::Protocol::tcp, model::AppProtocol::http1}};
  endpoint.state = model::EndpointState::ready;
  view_.endpoints[id] = endpoint;
}

void MeshTest::add_load_balancer() {
  front_ = free_loopback_port();
  model::Workload workload;
  workload.id = "00000000000000lb";
  workload.name = "edge";
  workload.kind = model::WorkloadKind::load_balancer;
  workload.sandbox = sandbox_;
  workload.state = model::WorkloadState::running;
  view_.workloads[workload.id] = workload;
  model::LoadBalancer balancer;
  balancer.id = workload.id;
  balancer.name = "edge";
  balancer.network = "net1";
  balancer.node = "node1";
  balancer.target_groups = {{"main", "web", 8080, model::LbAlgorithm::round_robin}};
  balancer.listeners = {{front_, model::AppProtocol::http1, "main", {}}};
  view_.load_balancers[balancer.id] = balancer;
}

void MeshTest::add_sidecar() {
  model::Workload workload;
  workload.id = "000000000000c11e";
  workload.name = "client";
  workload.sandbox = sandbox_;
  workload.state = model::WorkloadState::running;
  view_.workloads[workload.id] = workload;
  model::Endpoint endpoint;
  endpoint.id = "ep-client";
  endpoint.network = "net1";
  endpoint.workload = workload.id;
  endpoint.node = "node1";
  endpoint.address = {*IpAddr::parse("10.32.0.5"), 20};
  endpoint.state = model::EndpointState::ready;
  view_.endpoints[endpoint.id] = endpoint;
  view_.sidecars[workload.id] = {workload.id};
}

ProxyStatus MeshTest::wait_until(const std::string& id, ProxyState state) {
  ProxyStatus last;
  for (int i = 0; i < 1500; ++i) {
    last = mesh_->status(id).value_or(ProxyStatus{});
    if (last.state == state && (state != ProxyState::ready || last.pid > 0)) return last;
    ::usleep(10'000);
  }
  ADD_FAILURE() << "state " << static_cast<int>(last.state) << ", problem: " << last.problem;
  return last;
}

void MeshTest::until(const std::string& what, const std::function<bool()>& holds) {
  for (int i = 0; i < 2000; ++i) {
    if (holds()) return;
    ::usleep(10'000);
  }
  ADD_FAILURE() << "not within 20 s: " << what;
}

}  // namespace heddle::mesh
