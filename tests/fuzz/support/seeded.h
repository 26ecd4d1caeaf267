#pragma once

// A deliberate defect, between a fuzz target's subject and what it checks: there only in the
// target's
// `_seeded` program, which must be found out by its corpus (seeded.py). A target whose checks have
// lost their teeth fails there. `name` says what is wrong in the end user's terms.
#ifdef HEDDLE_SEED_DEFECT
#define HEDDLE_DEFECT(name, ...)                \
  do {                                          \
    static_assert(sizeof(name) > 1, "name it"); \
    __VA_ARGS__;                                \
  } while (false)
#else
#define HEDDLE_DEFECT(name, ...) \
  do {                           \
  } while (false)
#endif
