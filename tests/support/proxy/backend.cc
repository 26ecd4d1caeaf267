#include "tests/support/proxy/backend.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/proxy/proxy_process.h"

namespace heddle::testing {

Backend::Backend(Script script) : script_(std::move(script)) {
  listening_ = listen_on_loopback(&port_);
  acceptor_ = std::thread([this] { run(); });
}

Backend::~Backend() {
  stopping_ = true;
  ::shutdown(listening_.get(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& connection : connections_) connection.join();
  for (const int fd : open_) ::close(fd);
}

SocketAddr Backend::address() const {
  return {IpAddr::v4(0x7f000001), port_};
}

void Backend::run() {
  while (!stopping_) {
    const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++accepted_;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);  // stays open, shut down, until the end: its number is not used again
    connections_.emplace_back([this, fd] {
      script_(fd);
      ::shutdown(fd, SHUT_RDWR);
    });
  }
}

std::string read_head(int fd, std::string& rest) {
  while (true) {
    const auto end = rest.find("\r\n\r\n");
    if (end != std::string::npos) {
      std::string head = rest.substr(0, end + 4);
      rest.erase(0, end + 4);
      return head;
    }
    char bytes[8192];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) return "";
    rest.append(bytes, static_cast<std::size_t>(n));
  }
}

Backend::Script answering(std::string body, std::atomic<int>* requests) {
  return [body = std::move(body), requests](int fd) {
    std::string rest;
    while (!read_head(fd, rest).empty()) {
      if (requests) ++*requests;
      if (!send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                            "\r\n\r\n" + body)) {
        return;
      }
    }
  };
}

}  // namespace heddle::testing
