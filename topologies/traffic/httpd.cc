#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <map>

#include "topologies/traffic/loads.h"
#include "topologies/traffic/report.h"
#include "topologies/traffic/socket.h"

namespace heddle::traffic {
namespace {

constexpr std::size_t kMaxHead = 16 * 1024;

// Answers every GET with the same body, keeping connections alive.
class Server {
 public:
  Server(Loop& loop, UniqueFd listener, const std::string& body)
      : loop_(loop), listener_(std::move(listener)), body_(body) {}

  void run() {
    loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
    loop_.run();
    boost::json::object out{{"answered", answered_}, {"connections", accepted_}};
    std::cout << boost::json::serialize(out) << std::endl;
  }

 private:
  void accept() {
    for (;;) {
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      ++accepted_;
      const int number = fd.get();
      clients_[number] = {std::move(fd), ""};
      loop_.watch(number, EPOLLIN, [this, number](std::uint32_t) { read(number); });
    }
  }

  void read(int number) {
    std::array<char, 4096> buffer;
    std::string& head = clients_[number].head;
    const ssize_t got = ::recv(number, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return close(number);
    head.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end; (end = head.find("\r\n\r\n")) != std::string::npos;) {
      const bool last = head.substr(0, end).find("Connection: close") != std::string::npos;
      head.erase(0, end + 4);
      if (!answer(number, last)) return close(number);
    }
    if (head.size() > kMaxHead) close(number);
  }

  // Small enough for the socket's buffer; a client that lets even that fill up is dropped.
  bool answer(int number, bool last) {
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
                             std::to_string(body_.size()) + "\r\n" +
                             (last ? "Connection: close\r\n" : "") + "\r\n" + body_;
    if (::send(number, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
      return false;
    ++answered_;
    return !last;
  }

  void close(int number) {
    loop_.forget(number);
    clients_.erase(number);
  }

  struct Peer {
    UniqueFd fd;
    std::string head;
  };
  Loop& loop_;
  UniqueFd listener_;
  const std::string body_;
  std::map<int, Peer> clients_;
  std::uint64_t answered_ = 0;
  std::uint64_t accepted_ = 0;
};

}  // namespace

Result<int> run_httpd(const Httpd& options) {
  TRY(UniqueFd listener, listen_tcp(options.port));
  TRY(const auto loop, Loop::create());
  Server(*loop, std::move(listener), options.body + "\n").run();
  return 0;
}

}  // namespace heddle::traffic
