#include "proxy/upstream/shared.h"

namespace heddle::upstream {
namespace {

template <class T>
std::shared_ptr<T> handle_of(std::map<std::string, std::weak_ptr<T>>& handles,
                             const std::string& name) {
  auto& slot = handles[name];
  if (auto held = slot.lock()) return held;
  auto made = std::make_shared<T>();
  slot = made;
  // Now and then is enough, and with each doubling cheap.
  if ((handles.size() & (handles.size() - 1)) == 0) {
    std::erase_if(handles, [](const auto& entry) { return entry.second.expired(); });
  }
  return made;
}

}  // namespace

void Budgets::set_limits(const snapshot::Limits& limits) {
  connections->set_limit(limits.connections);
  pending->set_limit(limits.pending);
  requests->set_limit(limits.requests);
  retries->set_limit(limits.retries);
}

std::shared_ptr<balance::Vitals> SharedGroup::vitals(const std::string& target) {
  const std::lock_guard lock(mutex_);
  return handle_of(vitals_, target);
}

std::shared_ptr<SharedGroup> Shared::group(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return handle_of(groups_, name);
}

}  // namespace heddle::upstream
