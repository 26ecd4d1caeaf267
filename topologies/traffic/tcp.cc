#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>

#include "topologies/traffic/loads.h"
#include "topologies/traffic/measure.h"
#include "topologies/traffic/report.h"
#include "topologies/traffic/socket.h"

namespace heddle::traffic {
namespace {

namespace json = boost::json;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kPiece = 64 * 1024;
constexpr auto kPatience = Milliseconds(5000);

using Verdict = StreamVerdict;

class Stream {
 public:
  Stream(Loop& loop, const TcpStream& options, UniqueFd fd)
      : loop_(loop),
        options_(options),
        fd_(std::move(fd)),
        start_(SteadyClock::now()),
        gaps_(start_) {}

  int run() {
    loop_.watch(fd_.get(), EPOLLOUT | EPOLLIN, [this](std::uint32_t events) { ready(events); });
    if (options_.bytes_per_second > 0) loop_.every(Milliseconds(5), [this] { raise_allowance(); });
    if (options_.duration.count() > 0)
      loop_.at(start_ + options_.duration, [this] { loop_.stop(); });
    loop_.run();
    end_ = SteadyClock::now();
    if (problem_.empty()) ask_verdict();
    return report();
  }

 private:
  void raise_allowance() {
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - start_).count();
    allowed_ = static_cast<std::uint64_t>(seconds * options_.bytes_per_second);
    if (waiting_ && allowed_ > sent_) {
      waiting_ = false;
      loop_.change(fd_.get(), EPOLLOUT | EPOLLIN);
    }
  }

  void ready(std::uint32_t events) {
    if (!connected_) {
      if (const int error = pending_error(fd_.get())) return failed("connect", error);
      connected_ = true;
    }
    if (events & (EPOLLERR | EPOLLHUP)) return failed("connection", pending_error(fd_.get()));
    if (events & EPOLLIN) return failed("the sink ended the connection", 0);
    if (events & EPOLLOUT) send();
  }

  void send() {
    const std::uint64_t limit = options_.bytes_per_second > 0 ? allowed_ : UINT64_MAX;
    if (sent_ >= limit) {
      waiting_ = true;
      loop_.change(fd_.get(), EPOLLIN);
      return;
    }
    std::array<std::uint8_t, kPiece> piece;
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), limit - sent_));
    for (std::size_t i = 0; i < size; ++i) piece[i] = stream_byte(sent_ + i);
    const ssize_t wrote = ::send(fd_.get(), piece.data(), size, MSG_NOSIGNAL);
    if (wrote < 0 && errno == EAGAIN) return;
    if (wrote < 0) return failed("send", errno);
    sent_ += static_cast<std::uint64_t>(wrote);
    gaps_.success(SteadyClock::now());
  }

  void failed(const std::string& what, int error) {
    problem_ = what + (error ? std::string(": ") + std::strerror(error) : "");
    loop_.stop();
  }

  // Ends the stream and waits for the sink to say what it got.
  void ask_verdict() {
    ::shutdown(fd_.get(), SHUT_WR);
    const Time deadline = SteadyClock::now() + kPatience;
    std::array<char, sizeof(Verdict)> buffer{};
    std::size_t have = 0;
    while (have < buffer.size() && SteadyClock::now() < deadline) {
      const ssize_t got = ::recv(fd_.get(), buffer.data() + have, buffer.size() - have, 0);
      if (got > 0) have += static_cast<std::size_t>(got);
      if (got == 0 || (got < 0 && errno != EAGAIN)) break;
      ::timespec pause{0, 1'000'000};
      if (got < 0) ::nanosleep(&pause, nullptr);
    }
    if (have < buffer.size()) {
      problem_ = "the sink did not say what it got";
      return;
    }
    std::memcpy(&verdict_, buffer.data(), sizeof verdict_);
  }

  int report() {
    const bool intact = problem_.empty() && verdict_.bytes == sent_ && verdict_.wrong == 0;
    const Milliseconds stall = gaps_.longest(end_);
    json::object out{{"to", options_.to},
                     {"sent_bytes", sent_},
                     {"received_bytes", verdict_.bytes},
                     {"wrong_bytes", verdict_.wrong},
                     {"intact", intact},
                     {"problem", problem_},
                     {"longest_stall_ms", stall.count()},
                     {"time_ms", std::chrono::duration_cast<Milliseconds>(end_ - start_).count()}};
    return conclude(std::move(out), options_.limits, intact ? 0 : 1, stall);
  }

  Loop& loop_;
  const TcpStream& options_;
  UniqueFd fd_;
  const Time start_;
  Time end_;
  Gaps gaps_;
  std::uint64_t sent_ = 0;
  std::uint64_t allowed_ = 0;
  bool connected_ = false;
  bool waiting_ = false;
  std::string problem_;
  Verdict verdict_{};
};

// Checks every byte of every stream.
class Sink {
 public:
  Sink(Loop& loop, UniqueFd listener) : loop_(loop), listener_(std::move(listener)) {}

  int run() {
    loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
    loop_.run();
    const json::object out{
        {"streams", streams_}, {"bytes", bytes_}, {"wrong_bytes", wrong_}, {"resets", resets_}};
    std::cout << json::serialize(out) << std::endl;
    return wrong_ ? 1 : 0;
  }

 private:
  struct Peer {
    UniqueFd fd;
    Verdict verdict;
  };

  void accept() {
    for (;;) {
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      ++streams_;
      const int number = fd.get();
      peers_[number] = {std::move(fd), {}};
      loop_.watch(number, EPOLLIN, [this, number](std::uint32_t) { read(number); });
    }
  }

  void read(int number) {
    Verdict& verdict = peers_[number].verdict;
    std::array<std::uint8_t, kPiece> piece;
    const ssize_t got = ::recv(number, piece.data(), piece.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) {
      const auto size = static_cast<std::size_t>(got);
      for (std::size_t i = 0; i < size; ++i) {
        if (piece[i] == stream_byte(verdict.bytes + i)) continue;
        ++verdict.wrong;
        ++wrong_;
      }
      verdict.bytes += size;
      bytes_ += size;
      return;
    }
    if (got < 0) ++resets_;
    if (got == 0) ::send(number, &verdict, sizeof verdict, MSG_NOSIGNAL);
    loop_.forget(number);
    peers_.erase(number);
  }

  Loop& loop_;
  UniqueFd listener_;
  std::map<int, Peer> peers_;
  std::uint64_t streams_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t wrong_ = 0;
  std::uint64_t resets_ = 0;
};

}  // namespace

Result<int> run_tcp_stream(const TcpStream& options) {
  TRY(const SocketAddr to, resolve(options.to));
  TRY(UniqueFd fd, connect_tcp(to));
  TRY(const auto loop, Loop::create());
  return Stream(*loop, options, std::move(fd)).run();
}

Result<int> run_tcp_sink(const TcpSink& options) {
  TRY(UniqueFd listener, listen_tcp(options.port));
  TRY(const auto loop, Loop::create());
  return Sink(*loop, std::move(listener)).run();
}

}  // namespace heddle::traffic
