#pragma once
#include <algorithm>

namespace heddle::balance {

// Retries may be a fifth of the requests, and a few when there is little traffic, so that a group
// that fails altogether does not see its load multiplied.
class RetryBudget {
 public:
  void count_request() { tokens_ = std::min(kMost, tokens_ + kPerRequest); }
  bool take() {
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  static constexpr double kPerRequest = 0.2;
  static constexpr double kMost = 100;
  double tokens_ = 20;
};

}  // namespace heddle::balance
