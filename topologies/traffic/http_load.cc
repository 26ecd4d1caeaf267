#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <list>
#include <map>

#include "topologies/traffic/http.h"
#include "topologies/traffic/loads.h"
#include "topologies/traffic/measure.h"
#include "topologies/traffic/report.h"
#include "topologies/traffic/socket.h"

namespace heddle::traffic {
namespace {

namespace json = boost::json;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMaxAnswers = 1000;  // different bodies that are told apart

class Load {
 public:
  Load(Loop& loop, const HttpLoad& options, HttpUrl url, SocketAddr to)
      : loop_(loop),
        options_(options),
        to_(to),
        request_("GET " + url.path + " HTTP/1.1\r\nHost: " +
                 (options.host_header.empty() ? url.authority : options.host_header) +
                 "\r\nUser-Agent: heddle-traffic\r\n" +
                 (options.per_connection ? "Connection: close\r\n" : "") + "\r\n"),
        start_(SteadyClock::now()),
        pace_(start_, options.rate),
        gaps_(start_) {}

  int run() {
    for (int i = 0; i < options_.connections; ++i) {
      lanes_.emplace_back();
      next(lanes_.back());
    }
    if (options_.duration.count() > 0)
      loop_.at(start_ + options_.duration, [this] { begin_end(); });
    loop_.run();
    return report();
  }

 private:
  // One connection at a time, one request on it at a time.
  struct Lane {
    UniqueFd fd;
    bool busy = false;     // has a request, under way or to come
    bool waiting = false;  // the request is not due yet: nothing was sent
    bool connecting = false;
    std::size_t sent = 0;
    ResponseParser parser;
    Time started;
    std::uint64_t timer = 0;
    std::string last_answer;  // on this connection
  };

  Milliseconds elapsed(Time now) const {
    return std::chrono::duration_cast<Milliseconds>(now - start_);
  }
  bool all_started() const { return ending_ || (options_.requests && begun_ >= options_.requests); }

  // Duration is over: what is under way may finish.
  void begin_end() {
    ending_ = true;
    stop_if_idle();
  }
  void stop_if_idle() {
    const bool busy = std::ranges::any_of(lanes_, &Lane::busy);
    if (all_started() && !busy) loop_.stop();
  }

  void next(Lane& lane) {
    if (all_started()) return stop_if_idle();
    const std::uint64_t number = begun_++;
    lane.busy = true;
    if (options_.rate > 0 && pace_.due_at(number) > SteadyClock::now()) {
      lane.waiting = true;
      loop_.at(pace_.due_at(number), [this, &lane] { begin(lane); });
    } else {
      begin(lane);
    }
  }

  void begin(Lane& lane) {
    lane.waiting = false;
    if (ending_) {  // it came due after the end
      lane.busy = false;
      --begun_;
      return stop_if_idle();
    }
    lane.started = SteadyClock::now();
    lane.sent = 0;
    lane.parser = ResponseParser();
    lane.timer = loop_.at(lane.started + options_.timeout, [this, &lane] {
      lane.timer = 0;
      failed(lane, lane.connecting ? "connect timed out" : "no answer in time");
    });
    if (!lane.fd) return connect(lane);
    loop_.change(lane.fd.get(), EPOLLIN | EPOLLOUT);
  }

  void connect(Lane& lane) {
    lane.last_answer.clear();
    auto fd = connect_tcp(to_);
    if (!fd) return failed(lane, fd.error().text());
    ++connects_;
    lane.fd = *std::move(fd);
    lane.connecting = true;
    loop_.watch(lane.fd.get(), EPOLLIN | EPOLLOUT,
                [this, &lane](std::uint32_t events) { ready(lane, events); });
  }

  void ready(Lane& lane, std::uint32_t events) {
    if (lane.connecting) {
      if (const int error = pending_error(lane.fd.get()))
        return failed(lane, std::string("connect: ") + std::strerror(error));
      if (!(events & EPOLLOUT)) return;
      lane.connecting = false;
    }
    if (!lane.busy || lane.waiting) {  // the server ended an idle connection: no request was lost
      ++idle_closes_;
      return close(lane);
    }
    if (events & EPOLLOUT && !send(lane)) return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(lane);
  }

  bool send(Lane& lane) {
    while (lane.sent < request_.size()) {
      const ssize_t wrote = ::send(lane.fd.get(), request_.data() + lane.sent,
                                   request_.size() - lane.sent, MSG_NOSIGNAL);
      if (wrote < 0 && errno == EAGAIN) return true;
      if (wrote < 0) return failed(lane, std::string("send: ") + std::strerror(errno)), false;
      lane.sent += static_cast<std::size_t>(wrote);
    }
    loop_.change(lane.fd.get(), EPOLLIN);
    return true;
  }

  void receive(Lane& lane) {
    std::array<char, 16384> buffer;
    for (;;) {
      const ssize_t got = ::recv(lane.fd.get(), buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got < 0) return failed(lane, std::string("receive: ") + std::strerror(errno));
      if (got == 0) {
        if (lane.parser.finish_at_close()) return answered(lane);
        return failed(lane, lane.parser.empty() ? "closed without an answer"
                                                : "closed in the middle of an answer");
      }
      if (!lane.parser.feed({buffer.data(), static_cast<std::size_t>(got)}))
        return failed(lane, "not HTTP: " + lane.parser.problem());
      if (lane.parser.done()) return answered(lane);
    }
  }

  void settle(Lane& lane) {
    if (lane.timer) loop_.cancel(lane.timer);
    lane.timer = 0;
    lane.busy = false;
    lane.connecting = false;
  }

  void answered(Lane& lane) {
    const Time now = SteadyClock::now();
    settle(lane);
    ++statuses_[lane.parser.status()];
    const std::string answer = lane.parser.first_line();
    if (lane.parser.status() >= 200 && lane.parser.status() < 400) {
      ++ok_;
      gaps_.success(now);
      latencies_.add(now - lane.started);
      if (answers_.size() < kMaxAnswers || answers_.contains(answer)) ++answers_[answer];
      lane.last_answer = answer;
    } else {
      count_failure(lane, now, "status " + std::to_string(lane.parser.status()));
    }
    if (options_.per_connection || lane.parser.closes()) close(lane);
    next(lane);
  }

  void failed(Lane& lane, const std::string& why) {
    settle(lane);
    count_failure(lane, SteadyClock::now(), why);
    close(lane);
    if (!all_started() && options_.rate <= 0) {  // a dead server must not make this spin
      lane.busy = true;
      loop_.at(SteadyClock::now() + Milliseconds(10), [this, &lane] {
        lane.busy = false;
        next(lane);
      });
      return;
    }
    next(lane);
  }

  void count_failure(const Lane& lane, Time now, const std::string& why) {
    failures_.add(elapsed(now),
                  why + (lane.last_answer.empty() ? "" : " (" + lane.last_answer + ")"));
    if (!lane.last_answer.empty() && lane.last_answer != options_.dead) ++failed_on_living_;
  }

  void close(Lane& lane) {
    if (!lane.fd) return;
    loop_.forget(lane.fd.get());
    lane.fd.reset();
  }

  int report() {
    const Time now = SteadyClock::now();
    json::object answers;
    for (const auto& [body, count] : answers_) answers[body] = count;
    json::object statuses;
    for (const auto& [status, count] : statuses_) statuses[std::to_string(status)] = count;
    json::object out{{"url", options_.url},
                     {"ok", ok_},
                     {"failed", failures_.count()},
                     {"failed_on_living", failed_on_living_},
                     {"failure_span_ms", failures_.span().count()},
                     {"answers", std::move(answers)},
                     {"backends", answers_.size()},
                     {"statuses", std::move(statuses)},
                     {"connects", connects_},
                     {"idle_closes", idle_closes_},
                     {"longest_gap_ms", gaps_.longest(now).count()},
                     {"latency_ms", to_json(latencies_)},
                     {"time_ms", elapsed(now).count()},
                     {"failures", to_json(failures_)}};
    out["last_failure_ms"] = failures_.last() ? json::value(failures_.last()->count()) : nullptr;
    return conclude(std::move(out), options_.limits, failures_.count(), gaps_.longest(now));
  }

  Loop& loop_;
  const HttpLoad& options_;
  const SocketAddr to_;
  const std::string request_;
  const Time start_;
  Pace pace_;
  Gaps gaps_;
  Latencies latencies_;
  Failures failures_;
  std::list<Lane> lanes_;
  std::map<std::string, std::uint64_t> answers_;
  std::map<int, std::uint64_t> statuses_;
  std::uint64_t begun_ = 0;
  std::uint64_t ok_ = 0;
  std::uint64_t connects_ = 0;
  std::uint64_t idle_closes_ = 0;
  std::uint64_t failed_on_living_ = 0;
  bool ending_ = false;
};

}  // namespace

Result<int> run_http_load(const HttpLoad& options) {
  TRY(HttpUrl url, parse_http_url(options.url));
  TRY(const SocketAddr to, resolve(url.host, url.port));
  TRY(const auto loop, Loop::create());
  return Load(*loop, options, std::move(url), to).run();
}

}  // namespace heddle::traffic
