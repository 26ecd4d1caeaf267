#pragma once
#include <string>
#include <type_traits>

#include "netd/model/view.h"

namespace heddle::model {

// A View the other way round: who is where. It follows a view at the cost of what differs, and its
// copies share what they have in common, like the tables it is made from. Threads: as for a View.
class Index final {
 public:
  Index() = default;
  explicit Index(const View& view) { follow(View(), view); }

  // `before` is what was followed last.
  void follow(const View& before, const View& after);

  // Each calls `found(id)` in the order of ids; one that returns false ends it.
  template <class Found>
  void endpoints_of(const Id& workload, Found found) const {
    each(by_workload_, workload, found);
  }
  template <class Found>
  void endpoints_in(const Id& network, Found found) const {
    each(by_network_, network, found);
  }
  // Those that name the service, in whatever state they are.
  template <class Found>
  void backends_of(const Id& network, const std::string& service, Found found) const {
    each(by_service_, network + kEnd + service, found);
  }
  // Those that have the MAC in the network.
  template <class Found>
  void endpoints_with(const Id& network, const Mac& mac, Found found) const {
    each(by_mac_, network + kEnd + mac.format(), found);
  }
  template <class Found>
  void workloads_in(const std::string& sandbox, Found found) const {
    each(by_sandbox_, sandbox, found);
  }
  template <class Found>
  void workloads_named(const std::string& name, Found found) const {
    each(by_name_, name, found);
  }

 private:
  struct Nothing {
    friend bool operator==(const Nothing&, const Nothing&) = default;
  };
  // Keys are what is asked for, kEnd, and an id.
  using Entries = Table<Nothing>;
  static constexpr char kEnd = '\0';

  template <class Found>
  static void each(const Entries& entries, const std::string& key, Found found) {
    const std::string start = key + kEnd;
    for (auto it = entries.lower_bound(start); it != entries.end(); ++it) {
      if (!it->first.starts_with(start)) return;
      const Id id = it->first.substr(start.size());
      if constexpr (std::is_void_v<decltype(found(id))>) {
        found(id);
      } else {
        if (!found(id)) return;
      }
    }
  }

  Entries by_workload_, by_network_, by_service_, by_mac_;  // of endpoints
  Entries by_sandbox_, by_name_;                            // of workloads
};

}  // namespace heddle::model
