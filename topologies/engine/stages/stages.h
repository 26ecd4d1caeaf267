#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

// The order in which a lab's nodes come up. Source: containerlab's manual, "stages".
namespace heddle::stages {

enum class Stage : std::uint8_t { create, create_links, configure, healthy, exit };
inline constexpr std::size_t kStages = 5;
inline constexpr std::array<std::string_view, kStages> kNames{"create", "create-links", "configure",
                                                              "healthy", "exit"};
constexpr std::string_view name_of(Stage stage) {
  return kNames[static_cast<std::size_t>(stage)];
}
std::optional<Stage> parse_stage(std::string_view name);

// A stage is entered once that one is done.
struct Wait {
  std::string node;
  Stage stage = Stage::create;
  friend bool operator==(const Wait&, const Wait&) = default;
};

struct Node {
  std::string name;
  std::array<std::vector<Wait>, kStages> waits{};
  std::array<bool, kStages> acts{};  // `healthy` and `exit`: has something to do there
};

// Says what may begin. Every task that was taken has to be reported done, in any order.
class Scheduler final {
 public:
  struct Task {
    std::size_t node = 0;  // as in the list that it was made of
    Stage stage = Stage::create;
    friend bool operator==(const Task&, const Task&) = default;
  };

  // Waits for nodes that are not in the list are left out: those are up.
  // Errors: `invalid`, naming a cycle.
  static Result<Scheduler> make(const std::vector<Node>& nodes);

  std::vector<Task> take();  // what may begin and was not taken yet
  void done(Task task);
  bool finished() const { return open_ == 0; }
  std::size_t open() const { return open_; }  // not done yet

 private:
  static constexpr std::size_t id(std::size_t node, Stage stage) {
    return node * kStages + static_cast<std::size_t>(stage);
  }
  static Task task_of(std::size_t id) { return {id / kStages, static_cast<Stage>(id % kStages)}; }
  void plan(const std::vector<Node>& nodes);
  Result<> refuse_cycle(const std::vector<Node>& nodes) const;

  std::vector<bool> needed_;                         // by id
  std::vector<std::vector<std::size_t>> waited_by_;  // by id
  std::vector<std::size_t> missing_;                 // by id: how many it still waits for
  std::vector<std::size_t> ready_;
  std::size_t open_ = 0;  // needed and not done
};

}  // namespace heddle::stages
