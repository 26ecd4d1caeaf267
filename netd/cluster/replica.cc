#include "netd/cluster/replica.h"

#include "common/observe/log.h"
#include "netd/api/codec.h"

namespace heddle::cluster {
namespace {

constexpr std::size_t kHistory = 8192;  // changes kept for sessions that come back

template <class T>
Result<> decode_into(std::map<std::string, Stored<T>>& into, const store::Object& object) {
  TRY(T value, api::decode<T>(object.payload));
  into[object.id] = {std::move(value), object.revision, object.labels};
  return {};
}

// What nodes hear of: desired state, each other's reports, and who assigns which addresses.
bool is_for_nodes(const store::Key& key) {
  static const std::set<std::string, std::less<>> kKinds{kSwarmKind,   kNodeKind,     kNetworkKind,
                                                         kServiceKind, kEndpointKind, kBlockKind};
  return kKinds.contains(key.kind);
}

}  // namespace

Result<> Objects::apply(const store::Change& change) {
  const store::Key& key = change.key;
  if (change.object) {
    const store::Object& object = *change.object;
    if (key.kind == kNodeKind) TRY_DO(decode_into(nodes, object));
    if (key.kind == kNetworkKind) TRY_DO(decode_into(networks, object));
    if (key.kind == kServiceKind) TRY_DO(decode_into(services, object));
    if (key.kind == kEndpointKind) TRY_DO(decode_into(endpoints, object));
    if (key.kind == kBlockKind) TRY_DO(decode_into(blocks, object));
    if (key.kind == kSwarmKind) {
      TRY(auto value, api::decode<model::Swarm>(object.payload));
      swarm = {std::move(value), object.revision, object.labels};
    }
    raw[key] = object;
  } else {
    if (key.kind == kNodeKind) nodes.erase(key.id);
    if (key.kind == kNetworkKind) networks.erase(key.id);
    if (key.kind == kServiceKind) services.erase(key.id);
    if (key.kind == kEndpointKind) endpoints.erase(key.id);
    if (key.kind == kBlockKind) blocks.erase(key.id);
    if (key.kind == kSwarmKind) swarm.reset();
    raw.erase(key);
  }
  revision = std::max(revision, change.revision);
  return {};
}

store::Revision Objects::revision_of(const store::Key& key) const {
  const auto found = raw.find(key);
  return found == raw.end() ? 0 : found->second.revision;
}

Result<std::unique_ptr<Replica>> Replica::start(store::Store& store, Deadline deadline) {
  std::unique_ptr<Replica> replica(new Replica(store));
  TRY_DO(replica->load(deadline));
  replica->recovery_ = std::thread([raw = replica.get()] { raw->run_recovery(); });
  return replica;
}

Replica::~Replica() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    broken_.notify_all();
  }
  if (recovery_.joinable()) recovery_.join();
  watch_.reset();
}

Result<> Replica::load(Deadline deadline) {
  TRY(store::Listing listing, store_.list("", deadline));
  Objects fresh;
  for (store::Object& object : listing.objects) {
    const store::Key key{object.kind, object.id};
    if (auto applied = fresh.apply({object.revision, key, std::move(object)}); !applied) {
      // One bad object must not take the swarm down; whoever needs it finds it absent.
      log_error("store_object_unreadable",
                {{"kind", key.kind}, {"id", key.id}, {"error", applied.error()}});
    }
  }
  fresh.revision = listing.revision;
  {
    const std::lock_guard lock(mutex_);
    objects_ = std::move(fresh);
    history_.clear();
    history_from_ = listing.revision;
    reload_ = false;
    advanced_.notify_all();
    for (Listener* listener : listeners_) listener->poke();
  }
  TRY(watch_, store_.watch(listing.revision, [this](Result<std::vector<store::Change>> changes) {
    heard(std::move(changes));
  }));
  return {};
}

void Replica::heard(Result<std::vector<store::Change>> changes) {
  const std::lock_guard lock(mutex_);
  if (!changes) {
    log_info("store_watch_ended", {{"error", changes.error()}});
    reload_ = true;
    broken_.notify_all();
    return;
  }
  for (store::Change& change : *changes) {
    if (auto applied = objects_.apply(change); !applied) {
      log_error("store_object_unreadable",
                {{"kind", change.key.kind}, {"id", change.key.id}, {"error", applied.error()}});
    }
    objects_.revision = std::max(objects_.revision, change.revision);
    history_.push_back(std::move(change));
  }
  while (history_.size() > kHistory) {
    history_from_ = history_.front().revision;
    while (!history_.empty() && history_.front().revision == history_from_) history_.pop_front();
  }
  advanced_.notify_all();
  for (Listener* listener : listeners_) listener->poke();
}

void Replica::run_recovery() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!reload_) {
      broken_.wait(lock);
      continue;
    }
    lock.unlock();
    watch_.reset();
    const auto loaded = load(after(std::chrono::seconds(10)));
    if (!loaded) log_warn("store_list_failed", {{"error", loaded.error()}});
    lock.lock();
    if (!loaded) {
      reload_ = true;
      broken_.wait_for(lock, std::chrono::milliseconds(500), [&] { return stopping_; });
    }
  }
}

void Replica::read(const std::function<void(const Objects&)>& look) const {
  const std::lock_guard lock(mutex_);
  look(objects_);
}

store::Revision Replica::revision() const {
  const std::lock_guard lock(mutex_);
  return objects_.revision;
}

Result<> Replica::wait_for(store::Revision revision, Deadline deadline) const {
  std::unique_lock lock(mutex_);
  while (objects_.revision < revision) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::timeout, "the manager's copy of the store is behind");
    }
    advanced_.wait_until(lock, deadline);
  }
  return {};
}

Result<> Replica::catch_up(Deadline deadline) const {
  TRY(const store::Listing now, store_.list(kSwarmKind, deadline));
  // Should somebody write to etcd outside our prefix, its revision runs ahead of what the watch
  // tells: then this wait ends without.
  (void)wait_for(now.revision, std::min(deadline, after(std::chrono::seconds(1)))).has_value();
  return {};
}

std::optional<Replica::Update> Replica::changes_since(store::Revision from) const {
  const std::lock_guard lock(mutex_);
  if (from < history_from_ || from > objects_.revision) return std::nullopt;
  Update update;
  update.revision = objects_.revision;
  for (const store::Change& change : history_) {
    if (change.revision > from && is_for_nodes(change.key)) update.changes.push_back(change);
  }
  return update;
}

Replica::Update Replica::everything() const {
  const std::lock_guard lock(mutex_);
  Update update;
  update.revision = objects_.revision;
  for (const auto& [key, object] : objects_.raw) {
    if (is_for_nodes(key)) update.changes.push_back({object.revision, key, object});
  }
  return update;
}

void Replica::subscribe(Listener& listener) {
  const std::lock_guard lock(mutex_);
  listeners_.insert(&listener);
}

void Replica::unsubscribe(Listener& listener) {
  const std::lock_guard lock(mutex_);
  listeners_.erase(&listener);
}

}  // namespace heddle::cluster
