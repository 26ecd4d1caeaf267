#include "tests/support/engine/fake_engine.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "common/base/check.h"

namespace heddle::test {
namespace {

void send_all(int fd, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

std::string chunk(const std::string& text) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + text + "\r\n";
}

FakeEngine::Request read_request(int fd) {
  std::string text;
  std::size_t head = std::string::npos;
  std::size_t body = 0;
  while (head == std::string::npos || text.size() < head + body) {
    char buffer[1024];
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return {};
    text.append(buffer, static_cast<std::size_t>(n));
    if (head != std::string::npos || text.find("\r\n\r\n") == std::string::npos) continue;
    head = text.find("\r\n\r\n") + 4;
    constexpr std::string_view kLength = "Content-Length: ";
    if (const auto length = text.find(kLength); length < head)
      body = std::stoul(text.substr(length + kLength.size()));
  }
  const auto begin = text.find(' ') + 1;
  return {.method = text.substr(0, begin - 1),
          .target = text.substr(begin, text.find(' ', begin) - begin),
          .body = text.substr(head)};
}

}  // namespace

FakeEngine::FakeEngine() {
  char path[] = "/tmp/heddle-engine-XXXXXX";
  directory_ = ::mkdtemp(path);
  socket_ = directory_ + "/engine.sock";
  start();
}

FakeEngine::~FakeEngine() {
  stop();
  std::filesystem::remove_all(directory_);
}

void FakeEngine::start() {
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_.c_str(), sizeof address.sun_path - 1);
  ::unlink(socket_.c_str());
  CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(::listen(listener_.get(), 64) == 0);
  thread_ = std::thread([this, fd = listener_.get()] { accept_all(fd); });
}

void FakeEngine::stop() {
  if (!thread_.joinable()) return;
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  listener_.reset();
  ::unlink(socket_.c_str());
  const std::lock_guard lock(mutex_);
  for (const int fd : streams_) ::close(fd);
  for (const int fd : waiting_) ::close(fd);
  streams_.clear();
  waiting_.clear();
}

void FakeEngine::accept_all(int listener) {
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    serve(fd);
  }
}

// One request to a connection. Streams and those kept waiting stay open.
void FakeEngine::serve(int fd) {
  const Request request = read_request(fd);
  const std::string& target = request.target;
  const std::lock_guard lock(mutex_);
  requests_.push_back(request);
  for (const auto& [part, bytes] : answers_) {
    if (target.find(part) == std::string::npos) continue;
    if (!bytes) {
      waiting_.push_back(fd);
      return;
    }
    send_all(fd, *bytes);
    ::close(fd);
    return;
  }
  if (target.find("/events") != std::string::npos) {
    send_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    streams_.push_back(fd);
    return;
  }
  send_all(fd, respond(target));
  ::close(fd);
}

std::string FakeEngine::http(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

std::string FakeEngine::respond(const std::string& target) {
  if (target == "/_ping") return http(200, "OK", "Api-Version: 1.41\r\n");
  if (target.find("/containers/json") != std::string::npos) {
    std::string list;
    for (const auto& [id, container] : containers_) {
      list += (list.empty() ? "" : ",") + std::string(R"({"Id":")") + id + R"(","Names":["/)" +
              container.name + R"("],"State":")" + container.status + R"("})";
    }
    return http(200, "[" + list + "]");
  }
  const auto begin = target.find("/containers/");
  if (begin == std::string::npos) return http(404, R"({"message":"page not found"})");
  const std::string asked = target.substr(begin + 12, target.rfind('/') - begin - 12);
  std::vector<const Container*> fitting;
  for (const auto& [id, container] : containers_) {
    if (id == asked || container.name == asked) return http(200, inspect(container));
    if (id.starts_with(asked)) fitting.push_back(&container);
  }
  if (fitting.size() == 1) return http(200, inspect(*fitting.front()));
  if (fitting.size() > 1) return http(500, R"({"message":"Multiple IDs found"})");
  return http(404, R"({"message":"No such container"})");
}

std::string FakeEngine::inspect(const Container& c) {
  const bool running = c.status == "running" || c.status == "paused";
  return R"({"Id":")" + c.id + R"(","Name":"/)" + c.name + R"(","State":{"Status":")" + c.status +
         R"(","Running":)" + (running ? "true" : "false") + R"(,"Paused":)" +
         (c.status == "paused" ? "true" : "false") + R"(,"Restarting":)" +
         (c.status == "restarting" ? "true" : "false") + R"(,"Pid":)" + std::to_string(c.pid) +
         R"(},"HostConfig":{"NetworkMode":")" + c.network_mode + R"("})" + c.more + "}";
}

void FakeEngine::put(const Container& container) {
  const std::lock_guard lock(mutex_);
  containers_[container.id] = container;
}

void FakeEngine::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  containers_.erase(id);
}

void FakeEngine::emit(const std::string& action, const std::string& id,
                      const std::string& attributes) {
  std::string time;
  {
    const std::lock_guard lock(mutex_);
    time = std::to_string(next_time_++);
  }
  emit_raw(R"({"Type":"container","Action":")" + action + R"(","Actor":{"ID":")" + id +
           R"(","Attributes":)" + attributes + R"(},"time":)" + time + R"(,"timeNano":)" + time +
           "000000001}\n");
}

void FakeEngine::emit_raw(const std::string& text) {
  const std::lock_guard lock(mutex_);
  for (const int fd : streams_) send_all(fd, chunk(text));
}

void FakeEngine::answer(const std::string& part, std::optional<std::string> bytes) {
  const std::lock_guard lock(mutex_);
  answers_.insert(answers_.begin(), {part, std::move(bytes)});
}

void FakeEngine::answer_as_before(const std::string& part) {
  const std::lock_guard lock(mutex_);
  std::erase_if(answers_, [&](const auto& answer) { return answer.first == part; });
}

std::vector<std::string> FakeEngine::requests() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> targets;
  for (const Request& request : requests_) targets.push_back(request.target);
  return targets;
}

FakeEngine::Request FakeEngine::last_request() const {
  const std::lock_guard lock(mutex_);
  return requests_.empty() ? Request{} : requests_.back();
}

std::size_t FakeEngine::count(const std::string& part) const {
  const auto all = requests();
  return static_cast<std::size_t>(std::ranges::count_if(
      all, [&](const auto& target) { return target.find(part) != std::string::npos; }));
}

std::size_t FakeEngine::listeners() const {
  const std::lock_guard lock(mutex_);
  return streams_.size();
}

}  // namespace heddle::test
