#include "netd/control/health.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "dataplane/netns/netns.h"

namespace heddle::control {
namespace {

constexpr std::chrono::milliseconds kUnhealthyPeriod{100};
constexpr std::chrono::milliseconds kHealthyPeriod{2000};
constexpr std::chrono::milliseconds kConnectBudget{500};
constexpr int kFall = 2;

// One connect under way, or its outcome.
struct Attempt {
  UniqueFd socket;
  bool done = false;
  bool accepted = false;
};

Attempt begin(const std::string& sandbox, const SocketAddr& address) {
  Attempt attempt;
  attempt.done = true;
  auto netns = netns::open(sandbox);
  if (!netns) return attempt;
  auto socket = netns::connect_tcp(netns->get(), address);
  if (!socket) return attempt;
  attempt.done = false;
  attempt.socket = *std::move(socket);
  return attempt;
}

// Waits for all attempts together, within one budget.
void finish(std::vector<Attempt>& attempts) {
  const auto deadline = std::chrono::steady_clock::now() + kConnectBudget;
  for (;;) {
    std::vector<pollfd> waiting;
    for (const Attempt& a : attempts) {
      if (!a.done) waiting.push_back({a.socket.get(), POLLOUT, 0});
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (waiting.empty() || left.count() <= 0) return;
    if (::poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) <= 0) continue;
    for (Attempt& a : attempts) {
      const auto ready = std::ranges::find_if(waiting, [&](const pollfd& p) {
        return !a.done && p.fd == a.socket.get() && p.revents != 0;
      });
      if (ready == waiting.end()) continue;
      int error = 0;
      socklen_t size = sizeof error;
      a.accepted =
          ::getsockopt(a.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
      a.done = true;
    }
  }
}

}  // namespace

bool Health::decides(const model::Endpoint& endpoint) {
  return !endpoint.service.empty() &&
         std::ranges::any_of(endpoint.ports, [](const model::ServicePort& port) {
           return port.protocol == model::Protocol::tcp;
         });
}

Health::Health(OnChange on_change) : on_change_(std::move(on_change)), thread_([this] { run(); }) {}

Health::~Health() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void Health::set_checks(std::vector<Check> checks) {
  const std::lock_guard lock(mutex_);
  std::map<model::Id, State> next;
  bool changed = checks.size() != states_.size();
  for (Check& check : checks) {
    const auto old = states_.find(check.endpoint);
    if (old != states_.end() && old->second.check == check) {
      next.insert(states_.extract(old));
    } else {
      changed = true;
      const model::Id id = check.endpoint;
      next[id] = {.check = std::move(check), .due = {}, .generation = ++generation_};
    }
  }
  states_ = std::move(next);
  if (changed) wake_.notify_one();
}

void Health::set_check(Check check) {
  const std::lock_guard lock(mutex_);
  State& state = states_[check.endpoint];
  if (state.generation != 0 && state.check == check) return;
  state = {.check = std::move(check), .due = {}, .generation = ++generation_};
  wake_.notify_one();
}

void Health::drop_check(const model::Id& endpoint) {
  const std::lock_guard lock(mutex_);
  states_.erase(endpoint);
}

void Health::restart_check(const model::Id& endpoint) {
  const std::lock_guard lock(mutex_);
  const auto it = states_.find(endpoint);
  if (it == states_.end()) return;
  it->second = {.check = it->second.check, .due = {}, .generation = ++generation_};
  wake_.notify_one();
}

void Health::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = std::chrono::steady_clock::now();
    std::vector<State> due;
    Time next = Time::max();
    for (const auto& [id, state] : states_) {
      if (state.due <= now) {
        due.push_back(state);
      } else {
        next = std::min(next, state.due);
      }
    }
    if (due.empty()) {
      if (next == Time::max()) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, next);
      }
      continue;
    }
    lock.unlock();
    std::vector<Attempt> attempts;
    for (const State& state : due) {
      for (const SocketAddr& port : state.check.ports) {
        attempts.push_back(begin(state.check.sandbox, port));
      }
    }
    finish(attempts);
    lock.lock();
    std::vector<std::pair<model::Id, bool>> changes;
    std::size_t at = 0;
    for (const State& asked : due) {
      bool accepted = true;
      for (std::size_t i = 0; i < asked.check.ports.size(); ++i) {
        accepted = accepted && attempts[at++].accepted;
      }
      const auto it = states_.find(asked.check.endpoint);
      if (it == states_.end() || it->second.generation != asked.generation) continue;
      State& state = it->second;
      state.failures = accepted ? 0 : state.failures + 1;
      const bool healthy = accepted || (state.healthy && state.failures < kFall);
      if (healthy != state.healthy) changes.emplace_back(it->first, healthy);
      state.healthy = healthy;
      state.due = std::chrono::steady_clock::now() +
                  (healthy && accepted ? kHealthyPeriod : kUnhealthyPeriod);
    }
    lock.unlock();
    for (const auto& [endpoint, healthy] : changes) on_change_(endpoint, healthy);
    lock.lock();
  }
}

}  // namespace heddle::control
