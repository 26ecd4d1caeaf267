#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "netd/engine/container.h"

namespace heddle::engine {

// Which containers are to be looked at, and when. Pure: the caller looks, and says what it saw.
//
// | what happened            | the container is looked at | counts as ending        |
// |--------------------------|----------------------------|-------------------------|
// | it is followed newly     | at once                    | no                      |
// | `kill` that ends it      | at once, and past its time | until then              |
// | die, start, ...          | at once                    | not any more            |
// | pause, rename, ...       | at once                    | as before               |
// | the list shows otherwise | at once                    | as before               |
// | looking failed           | after a while              | as before               |
class Agenda final {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kRetry{1000};
  // What an engine needs beyond the time that it gives a container to end.
  static constexpr std::chrono::seconds kEndingSlack{5};

  // These and no others.
  void follow(const std::set<std::string>& containers);
  bool empty() const { return items_.empty(); }

  void happened(const Event& event, Time now);
  void listed(const std::vector<Listed>& all);
  void look_at_all();

  // Those whose time has come; each is then to be answered for by saw() or failed().
  std::vector<std::string> due(Time now);
  std::optional<Time> next() const;

  // `container`: nothing when it is gone.
  void saw(const std::string& id, const std::optional<Container>& container);
  void failed(const std::string& id, Time now);

  // Whether it was told to end, and may still do so.
  bool is_ending(const std::string& id, Time now) const;

 private:
  struct Item {
    std::optional<Time> due;
    std::optional<Time> ending;  // until then
    std::optional<Container> seen;
  };
  std::map<std::string, Item> items_;
};

}  // namespace heddle::engine
