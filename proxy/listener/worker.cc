#include "proxy/listener/worker.h"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "common/observe/log.h"

namespace heddle::listener {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

bool is_same_listener(const snapshot::Listener& a, const snapshot::Listener& b) {
  return a.name == b.name && a.kind == b.kind && a.socket == b.socket;
}

}  // namespace

Worker::Worker(asio::any_io_executor executor, const Settings& settings,
               telemetry::Metrics& metrics, telemetry::AccessLog& access_log,
               upstream::Shared& shared, Destinations::Ask ask, std::uint64_t seed)
    : core_(executor, settings, metrics, access_log, shared, std::move(ask), seed),
      running_(executor) {}

Worker::~Worker() = default;

void Worker::apply(const control::ConfigEvent& event) {
  std::visit(Overloaded{[&](const control::ListenersChanged& changed) {
                          // Requests under way still need to hear of their targets, not of these.
                          if (!draining_) apply_listeners(changed);
                        },
                        [&](const control::GroupChanged& changed) {
                          auto& slot = core_.groups[changed.group->name];
                          if (slot) {
                            slot->apply(*changed.group);
                          } else {
                            slot = std::make_shared<upstream::Group>(*changed.group, core_.metrics,
                                                                     core_.shared, core_.deadlines,
                                                                     core_.random.next());
                          }
                          core_.destinations.notify();
                        },
                        [&](const control::GroupDropped& dropped) {
                          const auto found = core_.groups.find(dropped.name);
                          if (found == core_.groups.end()) return;
                          // Requests that hold the group see that nothing in it is left.
                          snapshot::TargetGroup empty = found->second->config();
                          empty.targets.clear();
                          found->second->apply(std::move(empty));
                          core_.groups.erase(found);
                        },
                        [&](const control::DestinationChanged& changed) {
                          Destinations::Answer answer{changed.group, changed.use};
                          core_.destinations.put(changed.destination, std::move(answer));
                        },
                        [&](const control::DestinationDropped& dropped) {
                          core_.destinations.remove(dropped.destination);
                        },
                        [&](const control::ControlChanged& changed) {
                          core_.destinations.set_connected(changed.connected);
                        }},
             event);
}

void Worker::apply_listeners(const control::ListenersChanged& event) {
  std::map<std::string, std::shared_ptr<Listener>> old;
  old.swap(listeners_);
  std::vector<std::shared_ptr<const route::Table>> added;
  for (const auto& table : event.tables) {
    const snapshot::Listener& config = table->listener();
    const auto found = old.find(config.name);
    if (found == old.end() || !is_same_listener(found->second->config(), config)) {
      added.push_back(table);
      continue;
    }
    found->second->update(table);
    listeners_.insert(old.extract(found));
  }
  for (auto& [name, listener] : old) {
    const bool queue_goes_on = std::ranges::any_of(*event.listeners, [&](const auto& config) {
      return config.socket == listener->config().socket;
    });
    listener->stop(after(core_.settings.drain),
                   queue_goes_on ? Listener::Queue::left : Listener::Queue::served);
  }
  for (auto& table : added) start(std::move(table), *event.sockets);
}

void Worker::start(std::shared_ptr<const route::Table> table, const control::Sockets& sockets) {
  const auto socket = sockets.find(table->listener().socket);
  if (socket == sockets.end()) return;  // refused before: see ConfigStore
  UniqueFd copy(::fcntl(socket->second->get(), F_DUPFD_CLOEXEC, 3));
  const std::string name = table->listener().name;
  auto opened = Listener::open(core_, std::move(table), std::move(copy));
  if (!opened) {
    log_error("listener.failed", {{"listener", name}, {"error", opened.error()}});
    return;
  }
  std::shared_ptr<Listener> listener(*std::move(opened));
  listeners_[name] = listener;
  running_.spawn(run_listener(std::move(listener)));
}

Task<> Worker::run_listener(std::shared_ptr<Listener> listener) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await listener->run();
}

Task<> Worker::drain(Deadline deadline, Listener::Queue queue) {
  draining_ = true;
  for (auto& [name, listener] : listeners_) listener->stop(deadline, queue);
  co_await running_.join();
  listeners_.clear();
  core_.groups.clear();
  co_await core_.shared_connections.join();
}

}  // namespace heddle::listener
