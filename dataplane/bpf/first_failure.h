#pragma once
#include <utility>

#include "common/base/result.h"

namespace heddle::bpf {

// Steps of a teardown, all of which are tried; the first failure is what the caller learns.
class FirstFailure final {
 public:
  void then(Result<> step) {
    if (first_ && !step) first_ = std::move(step);
  }
  Result<> result() && { return std::move(first_); }

 private:
  Result<> first_;
};

}  // namespace heddle::bpf
