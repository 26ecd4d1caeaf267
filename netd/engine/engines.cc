#include "netd/engine/engines.h"

#include <algorithm>
#include <utility>

#include "dataplane/netns/netns.h"
#include "netd/engine/watcher.h"

namespace heddle::engine {
namespace {

constexpr std::string_view kJoins = "container:";
constexpr std::chrono::milliseconds kBudget{5000};

class HostEngines final : public Engines {
 public:
  Result<> add(Engine engine, const OnSighting& on_sighting) {
    TRY(auto watcher, Watcher::start(std::move(engine), {}, on_sighting));
    watchers_.push_back(std::move(watcher));
    return {};
  }

  Result<Sighting> find(const std::string& reference, Deadline deadline) override;
  std::vector<std::string> list_running(Deadline deadline) override;
  void follow(model::WorkloadKind kind, std::set<std::string> containers) override {
    if (Watcher* watcher = of(kind)) watcher->follow(std::move(containers));
  }
  std::vector<std::string> troubles() override {
    std::vector<std::string> all;
    for (const auto& watcher : watchers_) {
      if (auto trouble = watcher->trouble()) all.push_back(*std::move(trouble));
    }
    return all;
  }
  Result<> pin(const Sighting& sighting, const std::string& path) override {
    return pin_sandbox(*sighting.sandbox, path);
  }
  Result<> unpin(const std::string& path) override { return netns::remove(path); }

 private:
  Watcher* of(model::WorkloadKind kind) {
    const auto found = std::ranges::find_if(
        watchers_, [&](const auto& watcher) { return watcher->client().engine().kind == kind; });
    return found == watchers_.end() ? nullptr : found->get();
  }

  std::vector<std::unique_ptr<Watcher>> watchers_;
};

// Whether it runs; if not, how it is made to.
Result<> check_runs(const Engine& engine, const Container& container) {
  if (container.running) return {};
  const std::string who = engine.reference(container.name);
  if (container.restarting) {
    return fail(Errc::unavailable, who + " is restarting; connect it when it stays up (" +
                                       engine.command() + " logs " + container.name +
                                       " may tell why it does not)");
  }
  if (container.status == "removing") {
    return fail(Errc::not_found, who + " is being removed");
  }
  return fail(Errc::unavailable, who + " is not running (" + container.status + "); start it: " +
                                     engine.command() + " start " + container.name);
}

Error host_networking(const Engine& engine, const Container& container) {
  return Error(Errc::invalid, engine.reference(container.name) +
                                  " has host networking: it shares the host's network namespace; "
                                  "start it in one of its own (" +
                                  engine.command() + " run --network none)");
}

// Whether its namespace is its own.
Result<> check_own_network(Client& client, const Container& container, Deadline deadline) {
  const Engine& engine = client.engine();
  if (container.network_mode == "host") {
    return std::unexpected(host_networking(engine, container));
  }
  if (!container.network_mode.starts_with(kJoins)) return {};
  std::string owner = container.network_mode.substr(kJoins.size());
  if (auto other = client.inspect(owner, deadline)) owner = other->name;
  return fail(Errc::invalid, engine.reference(container.name) +
                                 " has no network of its own: it shares that of '" + owner +
                                 "'; connect that one: " + engine.reference(owner));
}

// Each has an equal share of what is left, so that a silent one does not hide the other.
std::vector<std::string> HostEngines::list_running(Deadline deadline) {
  const auto begin = std::chrono::steady_clock::now();
  const Deadline end = begin + std::min<Deadline::duration>((deadline - begin) / 2, kBudget);
  std::vector<std::string> all;
  for (std::size_t asked = 0; asked < watchers_.size(); ++asked) {
    const auto now = std::chrono::steady_clock::now();
    Client& client = watchers_[asked]->client();
    const auto listed = client.list(now + (end - now) / (watchers_.size() - asked));
    if (!listed) continue;
    for (const Listed& container : *listed) {
      const bool runs = container.status == "running" || container.status == "paused";
      if (runs && !container.name.empty()) all.push_back(client.engine().reference(container.name));
    }
  }
  std::ranges::sort(all);
  return all;
}

Result<Sighting> HostEngines::find(const std::string& reference, Deadline deadline) {
  const auto colon = reference.find(':');
  const auto kind =
      reference.starts_with("podman:") ? model::WorkloadKind::podman : model::WorkloadKind::docker;
  Watcher* watcher = of(kind);
  if (watcher == nullptr) return fail(Errc::unsupported, reference + ": no such engine here");
  Client& client = watcher->client();
  const Engine& engine = client.engine();
  const Deadline until = std::min(deadline, after(kBudget));
  TRY(const Container container, client.inspect(reference.substr(colon + 1), until));
  TRY_DO(check_own_network(client, container, until));
  TRY_DO(check_runs(engine, container));
  auto sandbox = enter(client, container, until);
  if (!sandbox && sandbox.error().code() == Errc::invalid) {
    return std::unexpected(host_networking(engine, container));
  }
  if (!sandbox) {
    return std::unexpected(std::move(sandbox).error().during(engine.reference(container.name)));
  }
  return Sighting{.kind = kind,
                  .id = container.id,
                  .container = container,
                  .sandbox = std::make_shared<const Sandbox>(*std::move(sandbox))};
}

}  // namespace

Result<std::unique_ptr<Engines>> Engines::start(std::vector<Engine> engines,
                                                OnSighting on_sighting) {
  auto made = std::make_unique<HostEngines>();
  for (Engine& engine : engines) TRY_DO(made->add(std::move(engine), on_sighting));
  return made;
}

bool is_container(const std::string& reference) {
  return reference.starts_with("docker:") || reference.starts_with("podman:");
}

}  // namespace heddle::engine
