#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace heddle::balance {

// How much of something may be under way at once, for all cores together. Threads: any.
class Budget {
 public:
  void set_limit(std::uint32_t limit) {
    limit_.store(limit, std::memory_order_relaxed);
  }  // 0: none
  bool take() {
    const std::uint32_t limit = limit_.load(std::memory_order_relaxed);
    const std::uint32_t before = used_.fetch_add(1, std::memory_order_relaxed);
    if (limit == 0 || before < limit) return true;
    used_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  void give() { used_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint32_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> limit_{0};
  std::atomic<std::uint32_t> used_{0};
};

// One of what a budget counts, given back when destroyed. Keeps the budget alive.
class Slot {
 public:
  Slot() = default;
  static std::optional<Slot> take(std::shared_ptr<Budget> budget) {
    if (!budget->take()) return std::nullopt;
    return Slot(std::move(budget));
  }
  Slot(Slot&&) = default;
  Slot& operator=(Slot&& other) {
    if (this != &other) {
      if (budget_) budget_->give();
      budget_ = std::move(other.budget_);
    }
    return *this;
  }
  ~Slot() {
    if (budget_) budget_->give();
  }

 private:
  explicit Slot(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
  std::shared_ptr<Budget> budget_;
};

}  // namespace heddle::balance
