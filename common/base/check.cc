#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace heddle {

void check_failed(const char* file, int line, const char* claim) {
  std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, claim);
  std::abort();
}

}  // namespace heddle
