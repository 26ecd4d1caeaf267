#include "proxy/health/checker.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "common/observe/log.h"
#include "proxy/http/head_scanner.h"
#include "proxy/http/message.h"
#include "proxy/io/stream.h"
#include "proxy/upstream/target.h"

namespace heddle::health {
namespace {

using std::chrono::milliseconds;

constexpr http::Limits kLimits{.head_bytes = 16 << 10};
constexpr milliseconds kFirstWithin{1000};

}  // namespace

// One target of one group.
struct Checker::Watch {
  Watch(const asio::any_io_executor& executor, const snapshot::HealthCheck& check)
      : config(check), timer(executor) {}

  const snapshot::HealthCheck config;
  std::string group;
  SocketAddr address;
  std::shared_ptr<upstream::SharedGroup> shared;
  std::shared_ptr<balance::Vitals> vitals;
  asio::steady_timer timer;
  io::Stream* stream = nullptr;  // of a check that is under way
  std::uint32_t in_a_row = 0;    // checks that spoke against what is thought
  bool ended = false;

  // A check's result; true when it changes what is thought.
  bool tell(bool success) {
    const bool before = vitals->healthy.load(std::memory_order_relaxed);
    if (success == before) {
      in_a_row = 0;
      return false;
    }
    if (++in_a_row < (success ? config.healthy : config.unhealthy)) return false;
    in_a_row = 0;
    vitals->healthy.store(success, std::memory_order_relaxed);
    return true;
  }
};

Checker::Checker(asio::any_io_executor executor, upstream::Shared& shared, std::uint64_t seed)
    : executor_(executor),
      shared_(shared),
      random_(seed),
      deadlines_(executor),
      tasks_(executor),
      stopped_(executor, asio::steady_timer::time_point::max()) {}

Checker::~Checker() = default;

void Checker::apply(const control::ConfigEvent& event) {
  if (stopping_) return;
  if (const auto* changed = std::get_if<control::GroupChanged>(&event)) put(*changed->group);
  if (const auto* dropped = std::get_if<control::GroupDropped>(&event)) {
    const auto found = watches_.find(dropped->name);
    if (found == watches_.end()) return;
    for (const auto& [target, watch] : found->second) end(*watch);
    watches_.erase(found);
  }
}

void Checker::put(const snapshot::TargetGroup& group) {
  Watches old;
  if (const auto found = watches_.find(group.name); found != watches_.end()) {
    old.swap(found->second);
  }
  if (group.health_check) {
    Watches& watches = watches_[group.name];
    for (const snapshot::Target& target : group.targets) {
      const auto kept = old.find(target.id);
      if (kept != old.end() && kept->second->config == *group.health_check) {
        watches.insert(old.extract(kept));
        continue;
      }
      auto watch = std::make_shared<Watch>(executor_, *group.health_check);
      watch->group = group.name;
      watch->address = target.address;
      if (group.health_check->port) watch->address.port = group.health_check->port;
      watch->shared = shared_.group(group.name);
      watch->vitals = watch->shared->vitals(target.id);
      watches[target.id] = watch;
      tasks_.spawn(watch_target(std::move(watch)));
    }
  } else {
    watches_.erase(group.name);
  }
  for (const auto& [target, watch] : old) {
    end(*watch);
    // Nobody asks any more: it is well as far as anybody knows.
    if (!group.health_check) watch->vitals->healthy.store(true, std::memory_order_relaxed);
  }
}

void Checker::end(Watch& watch) {
  watch.ended = true;
  watch.timer.cancel();
  if (watch.stream) watch.stream->abort();
}

void Checker::stop() {
  stopping_ = true;
  for (const auto& [group, watches] : watches_) {
    for (const auto& [target, watch] : watches) end(*watch);
  }
  stopped_.cancel();
}

Task<> Checker::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!stopping_) {
    const auto [ec] = co_await stopped_.async_wait(nothrow);
    (void)ec;
  }
  co_await tasks_.join();
}

// Within a tenth: targets, and proxies, that began together drift apart.
milliseconds Checker::jittered(milliseconds interval) {
  const auto tenth = static_cast<std::uint64_t>(interval.count()) / 10;
  return interval - milliseconds(tenth) + milliseconds(random_.below(2 * tenth + 1));
}

Task<> Checker::watch_target(std::shared_ptr<Watch> watch) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const milliseconds first = std::min(watch->config.interval, kFirstWithin);
  milliseconds pause(random_.below(static_cast<std::uint64_t>(first.count()) + 1));
  while (!watch->ended) {
    watch->timer.expires_after(pause);
    const auto [ec] = co_await watch->timer.async_wait(nothrow);
    (void)ec;
    if (watch->ended) co_return;
    const bool success = co_await is_well(*watch);
    if (watch->ended) co_return;
    if (watch->tell(success)) {
      log_warn(success ? "target.healthy" : "target.unhealthy",
               {{"group", watch->group}, {"target", watch->address.format()}});
    }
    pause = jittered(watch->config.interval);
  }
}

Task<bool> Checker::is_well(Watch& watch) {
  const Deadline now = std::chrono::steady_clock::now();
  const auto last = watch.vitals->last_success.load(std::memory_order_relaxed);
  const bool proven = watch.vitals->healthy.load(std::memory_order_relaxed) &&
                      watch.vitals->failures.load(std::memory_order_relaxed) == 0 &&
                      last > balance::Vitals::nanos(now - watch.config.interval);
  if (proven) co_return true;
  io::Stream stream(io::Stream::Socket(executor_), deadlines_);
  watch.stream = &stream;
  const Deadline deadline = now + watch.config.timeout;
  const auto connected = co_await stream.connect(upstream::endpoint_of(watch.address), deadline);
  bool well = connected.has_value();
  if (well && watch.config.kind == snapshot::HealthCheck::Kind::http) {
    well = co_await answers(watch, deadline);
  }
  watch.stream = nullptr;
  co_return well;
}

Task<bool> Checker::answers(Watch& watch, Deadline deadline) {
  const snapshot::HealthCheck& check = watch.config;
  const std::string host = check.host.empty() ? watch.address.format() : check.host;
  const std::string request = "GET " + check.path + " HTTP/1.1\r\nHost: " + host +
                              "\r\nUser-Agent: heddle-proxy\r\nConnection: close\r\n\r\n";
  const io::Pieces bytes{request};
  const auto sent = co_await watch.stream->write_all(bytes, deadline);
  if (!sent) co_return false;
  io::ReadBuffer in;
  http::HeadScanner scanner;
  http::ResponseHead head;
  while (true) {
    const auto scanned = scanner.scan(in.view(), kLimits);
    if (!scanned) co_return false;
    if (*scanned) {
      if (http::parse_response(in.view().substr(0, **scanned), kLimits, {}, head)) co_return false;
      in.consume(**scanned);
      scanner.reset();
      if (head.status >= 200) break;
      continue;
    }
    const auto n = co_await watch.stream->read_some(in, 1024, deadline);
    if (!n || *n == 0) co_return false;
  }
  co_return head.status >= check.status_low&& head.status <= check.status_high;
}

}  // namespace heddle::health
