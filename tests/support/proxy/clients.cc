#include "tests/support/proxy/clients.h"

#include <sys/socket.h>

#include <chrono>
#include <climits>
#include <cstdlib>
#include <string>

#include "tests/support/proxy/proxy_process.h"

namespace heddle::testing {
namespace {

using std::chrono::milliseconds;

// Head and body of an answer with a Content-Length; what came is shorter when it was cut.
struct Answer {
  std::string head;
  bool whole = false;
};

Answer read_answer(int fd) {
  std::string text = receive(fd, "\r\n\r\n");
  const auto end = text.find("\r\n\r\n");
  if (end == std::string::npos) return {};
  Answer answer{text.substr(0, end + 4), false};
  const auto length = answer.head.find("Content-Length: ");
  if (length == std::string::npos) return answer;
  const std::size_t whole = end + 4 + std::strtoul(answer.head.c_str() + length + 16, nullptr, 10);
  while (text.size() < whole) {
    char bytes[4096];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) return answer;
    text.append(bytes, static_cast<std::size_t>(n));
  }
  answer.whole = true;
  return answer;
}

}  // namespace

void Clients::add_fresh() {
  add(1);
}

void Clients::add_kept() {
  add(INT_MAX);
}

void Clients::add(int requests) {
  threads_.emplace_back([this, requests] {
    while (!stopping_) use_connection(requests);
  });
}

void Clients::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool Clients::wait_for(int more) const {
  const int wanted = count.answered + more;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (count.answered < wanted) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

void Clients::use_connection(int requests) {
  const UniqueFd fd = connect_to(port_);
  if (!fd) {
    ++count.refused;
    return;
  }
  for (int i = 0; i < requests && !stopping_; ++i) {
    // Now and then a client takes its time between two requests, and before the first.
    if ((i + count.answered) % 8 == 3) std::this_thread::sleep_for(milliseconds(3));
    if (!send_all(fd.get(), "GET / HTTP/1.1\r\nHost: test\r\n\r\n")) {
      ++count.lost;
      return;
    }
    const Answer answer = read_answer(fd.get());
    if (!answer.whole || !answer.head.starts_with("HTTP/1.1 200 ")) {
      ++count.lost;
      return;
    }
    ++count.answered;
    if (answer.head.find("Connection: close\r\n") != std::string::npos) return;
  }
}

}  // namespace heddle::testing
