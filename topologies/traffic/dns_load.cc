#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <map>

#include "topologies/traffic/dns.h"
#include "topologies/traffic/loads.h"
#include "topologies/traffic/measure.h"
#include "topologies/traffic/report.h"
#include "topologies/traffic/socket.h"

namespace heddle::traffic {
namespace {

namespace json = boost::json;
using SteadyClock = std::chrono::steady_clock;

constexpr std::uint16_t kDnsPort = 53;
constexpr std::size_t kMaxOpen = 30'000;  // ids are 16 bits

class Load {
 public:
  Load(Loop& loop, const DnsLoad& options, UniqueFd fd)
      : loop_(loop),
        options_(options),
        fd_(std::move(fd)),
        start_(SteadyClock::now()),
        pace_(start_, options.rate),
        gaps_(start_) {}

  Result<int> run() {
    TRY_DO(encode_dns_query(0, options_.name));  // a bad name shows before anything is sent
    loop_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
    loop_.every(Milliseconds(2), [this] { send_due(); });
    if (options_.duration.count() > 0)
      loop_.at(start_ + options_.duration, [this] { loop_.stop(); });
    loop_.run();
    end_ = SteadyClock::now();
    drain();
    return report();
  }

 private:
  void send_due() {
    const std::uint64_t due = pace_.due_by(SteadyClock::now());
    for (; sent_ < due && open_.size() < kMaxOpen; ++sent_) {
      const auto id = static_cast<std::uint16_t>(sent_);
      const auto query = encode_dns_query(id, options_.name);
      open_[id] = SteadyClock::now();
      if (::send(fd_.get(), query->data(), query->size(), MSG_NOSIGNAL) < 0) ++refused_;
    }
  }

  void receive() {
    std::array<char, 4096> buffer;
    for (;;) {
      const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0 && errno == ECONNREFUSED) ++refused_;
      if (got < 0) return;
      const auto answer = read_dns_answer({buffer.data(), static_cast<std::size_t>(got)});
      const auto query = answer ? open_.find(answer->id) : open_.end();
      if (query == open_.end()) {
        ++unexpected_;
        continue;
      }
      count(*answer, query->second);
      open_.erase(query);
    }
  }

  void count(const DnsAnswer& answer, Time sent) {
    const Time now = SteadyClock::now();
    ++rcodes_[answer.rcode];
    if (answer.rcode != 0 || answer.answers == 0) {
      ++bad_;
      return;
    }
    ++answered_;
    if (now - sent > options_.late) ++late_;
    gaps_.success(now);
    latencies_.add(now - sent);
  }

  void drain() {
    const Time deadline = end_ + options_.drain;
    while (!open_.empty() && SteadyClock::now() < deadline) {
      ::timespec pause{0, 1'000'000};
      ::nanosleep(&pause, nullptr);
      receive();
    }
  }

  int report() {
    json::object rcodes;
    for (const auto& [rcode, count] : rcodes_) rcodes[std::to_string(rcode)] = count;
    const Milliseconds gap = gaps_.longest(end_);
    json::object out{{"server", options_.server},
                     {"name", options_.name},
                     {"sent", sent_},
                     {"answered", answered_},
                     {"late", late_},
                     {"lost", open_.size()},
                     {"bad", bad_},
                     {"refused", refused_},
                     {"unexpected", unexpected_},
                     {"rcodes", std::move(rcodes)},
                     {"longest_gap_ms", gap.count()},
                     {"latency_ms", to_json(latencies_)},
                     {"time_ms", std::chrono::duration_cast<Milliseconds>(end_ - start_).count()}};
    return conclude(std::move(out), options_.limits, open_.size() + bad_, gap);
  }

  Loop& loop_;
  const DnsLoad& options_;
  UniqueFd fd_;
  const Time start_;
  Time end_;
  Pace pace_;
  Gaps gaps_;
  Latencies latencies_;
  std::map<std::uint16_t, Time> open_;  // queries without an answer
  std::map<int, std::uint64_t> rcodes_;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t late_ = 0;
  std::uint64_t bad_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t unexpected_ = 0;
};

}  // namespace

Result<int> run_dns_load(const DnsLoad& options) {
  TRY(const SocketAddr to, resolve(options.server, kDnsPort));
  TRY(UniqueFd fd, connect_udp(to));
  TRY(const auto loop, Loop::create());
  return Load(*loop, options, std::move(fd)).run();
}

}  // namespace heddle::traffic
