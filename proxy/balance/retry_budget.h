#pragma once
#include <algorithm>

namespace heddle::balance {

// Retries may be a share of the requests (a fifth, if nothing else is said), and a few when there
// is little traffic, so that a group that fails altogether does not see its load multiplied.
class RetryBudget {
 public:
  void set_share(double share) { share_ = share; }
  void count_request() { tokens_ = std::min(kMost, tokens_ + share_); }
  bool take() {
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  static constexpr double kMost = 100;
  double share_ = 0.2;
  double tokens_ = 20;
};

}  // namespace heddle::balance
